use std::{collections::HashSet, fs};

/// How many file descriptors of this process are sockets connected to this port of 127.0.0.1.
///
/// The process runs many rows at once, each with ports of its own: the sum of all descriptors would
/// say nothing about one of them.
pub fn connected_to(port: u16) -> usize {
    let remote = format!("0100007F:{port:04X}");
    let table = fs::read_to_string("/proc/self/net/tcp").expect("Linux lists its sockets");
    let inodes: HashSet<&str> = table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split_whitespace().skip(2);
            let is_ours = columns.next()? == remote;
            // remote, state, queues, timer, retransmits, uid, timeout, inode
            is_ours.then(|| columns.nth(6)).flatten()
        })
        .collect();
    let open = fs::read_dir("/proc/self/fd").expect("Linux lists descriptors");
    open.flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .filter(|inode| inodes.contains(inode.as_str()))
        .count()
}
