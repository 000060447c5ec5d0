use std::{
    ffi::OsStr,
    fs::File,
    io::Write,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Waits for a go, so that no moment exists in which the program runs unwatched.
const STARTER: &str = r#"read -r _ || exit 1; exec "$0" "$@""#;

/// Kills the process named by its first line once its input ends without a second one.
const WATCHER: &str = r#"trap '' INT TERM HUP
read -r pid || exit 0
read -r _ && exit 0
kill -KILL "$pid""#;

/// A child process that does not outlive this one, however this one ends.
///
/// A parent-death signal would be sent when the *thread* that started the child ends, and test
/// threads do: a shell watches a pipe that the kernel closes with this process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    watcher: Option<Child>,
}

impl Process {
    pub(super) fn start<A: AsRef<OsStr>>(
        program: &Path,
        args: impl IntoIterator<Item = A>,
        log: &File,
    ) -> Self {
        let output = || Stdio::from(log.try_clone().expect("a file handle can be cloned"));
        let mut child = shell(STARTER)
            .arg(program)
            .args(args)
            .stdout(output())
            .stderr(output())
            .spawn()
            .expect("`sh` runs");
        let mut watcher =
            shell(WATCHER).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("`sh` runs");
        say(&mut watcher, &format!("{}\n", child.id()));
        say(&mut child, "go\n");
        child.stdin = None;
        Self { child, watcher: Some(watcher) }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, once it ended by itself.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        // The watcher goes first: once the child is reaped its number may be another's.
        waitid(
            WaitId::Pid(Pid::from_child(&self.child)),
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT,
        )
        .ok()
        .flatten()?;
        self.dismiss_watcher();
        self.child.wait().ok()
    }

    /// Sends SIGSTOP and waits until it has stopped.
    pub(super) fn pause(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP).expect("a child can be stopped");
        waitid(
            WaitId::Pid(pid),
            WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )
        .expect("a child can be waited for");
    }

    pub(super) fn resume(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).expect("a child can be continued");
    }

    fn dismiss_watcher(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            say(&mut watcher, "\n");
            let _ = watcher.wait();
        }
    }
}

/// Sends SIGKILL, which a stopped process obeys too, and waits until the process is gone.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        self.dismiss_watcher();
        let _ = self.child.wait();
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::piped());
    command
}

fn say(child: &mut Child, line: &str) {
    if let Some(input) = &mut child.stdin {
        let _ = input.write_all(line.as_bytes());
    }
}
