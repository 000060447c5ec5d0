use std::error::Error;

use redis::{Arg, Cmd, Pipeline};

use super::{
    Unavailable,
    command_table::{is, is_its_own, is_read_only},
};
use crate::failover::{Repeat, Repeats, may_have_run};

/// Says which commands a failover may send to another server after one failed.
///
/// | commands | |
/// |---|---|
/// | that the server itself marks as `readonly`: `GET`, `MGET`, `HGETALL`, `ZRANGE`, `EVAL_RO`, … | [`Always`](Repeat::Always) |
/// | about one connection or one server: `AUTH`, `SELECT`, `CLIENT`, `CONFIG`, `SUBSCRIBE`, `WATCH`, `MULTI`, `EXEC`, …, and those that block: `BLPOP`, `XREAD BLOCK`, `WAIT`, … | [`Never`](Repeat::Never) |
/// | all others, also such as are unknown | [`IfNotApplied`](Repeat::IfNotApplied) |
///
/// A pipeline may be repeated as the least repeatable of its commands. Whether a command that failed
/// may have run is told by [`Unavailable::command_may_have_run`], and by [`may_have_run`] for the
/// refusals of other layers.
///
/// The cursor of a `SCAN` means nothing to another server: one that a failover interrupts has to be
/// begun again.
///
/// ```
/// use redis::cmd;
/// use tower_failover::{failover::{Repeat, Repeats}, redis::Commands};
///
/// let commands = Commands::new().idempotent(&["SET", "DEL"]);
/// assert_eq!(commands.repeat(cmd("GET").arg("a")), Repeat::Always);
/// assert_eq!(commands.repeat(cmd("SET").arg("a").arg(1)), Repeat::Always);
/// assert_eq!(commands.repeat(cmd("INCR").arg("a")), Repeat::IfNotApplied);
/// assert_eq!(commands.repeat(cmd("BLPOP").arg("a").arg(0)), Repeat::Never);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Commands {
    idempotent: &'static [&'static str],
}

impl Commands {
    /// Repeats what only reads.
    #[must_use]
    pub const fn new() -> Self {
        Self { idempotent: &[] }
    }

    /// Repeats the commands of these names too, whatever their arguments. Default: none.
    ///
    /// For writes that do no harm when they are done twice, on two servers, or late, after another
    /// has written. A `SET` is one, if nobody else writes to its key; with `NX` or `GET` it is none.
    #[must_use]
    pub const fn idempotent(self, names: &'static [&'static str]) -> Self {
        Self { idempotent: names }
    }

    fn of(self, command: &Cmd) -> Repeat {
        let name = words(command).next().unwrap_or_default();
        if self.idempotent.iter().any(|it| is(name, it)) {
            Repeat::Always
        } else if is_its_own(words(command)) {
            Repeat::Never
        } else if is_read_only(words(command)) {
            Repeat::Always
        } else {
            Repeat::IfNotApplied
        }
    }
}

impl Repeats<Cmd> for Commands {
    fn repeat(&self, command: &Cmd) -> Repeat {
        self.of(command)
    }

    fn copy(&self, command: &Cmd) -> Option<Cmd> {
        Some(command.clone())
    }

    fn may_have_run(&self, command: &Cmd, error: &(dyn Error + 'static)) -> bool {
        may_have_run(error) && Unavailable::command_may_have_run(command, error)
    }
}

impl Repeats<Pipeline> for Commands {
    fn repeat(&self, commands: &Pipeline) -> Repeat {
        let lesser = |one, command| match (one, self.of(command)) {
            (Repeat::Never, _) | (_, Repeat::Never) => Repeat::Never,
            (Repeat::IfNotApplied, _) | (_, Repeat::IfNotApplied) => Repeat::IfNotApplied,
            (Repeat::Always, Repeat::Always) => Repeat::Always,
        };
        commands.cmd_iter().fold(Repeat::Always, lesser)
    }

    fn copy(&self, commands: &Pipeline) -> Option<Pipeline> {
        Some(commands.clone())
    }

    fn may_have_run(&self, _: &Pipeline, error: &(dyn Error + 'static)) -> bool {
        may_have_run(error) && Unavailable::may_have_run(error)
    }
}

fn words(command: &Cmd) -> impl Iterator<Item = &[u8]> {
    command.args_iter().map_while(|word| match word {
        Arg::Simple(word) => Some(word),
        Arg::Cursor | _ => None,
    })
}
