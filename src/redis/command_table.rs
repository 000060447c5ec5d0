use std::cmp::Ordering;

/// The commands that Redis 7.0 marks as `readonly`, without `XREAD`, which may block. Sorted.
#[rustfmt::skip]
const READ_ONLY: [&str; 81] = [
    "BITCOUNT", "BITFIELD_RO", "BITPOS", "DBSIZE", "DUMP", "EVALSHA_RO", "EVAL_RO", "EXISTS",
    "EXPIRETIME", "FCALL_RO", "GEODIST", "GEOHASH", "GEOPOS", "GEORADIUSBYMEMBER_RO",
    "GEORADIUS_RO", "GEOSEARCH", "GET", "GETBIT", "GETRANGE", "HEXISTS", "HGET", "HGETALL", "HKEYS",
    "HLEN", "HMGET", "HRANDFIELD", "HSCAN", "HSTRLEN", "HVALS", "KEYS", "LCS", "LINDEX", "LLEN",
    "LOLWUT", "LPOS", "LRANGE", "MGET", "PEXPIRETIME", "PFCOUNT", "PTTL", "RANDOMKEY", "SCAN",
    "SCARD", "SDIFF", "SINTER", "SINTERCARD", "SISMEMBER", "SMEMBERS", "SMISMEMBER", "SORT_RO",
    "SRANDMEMBER", "SSCAN", "STRLEN", "SUBSTR", "SUNION", "TOUCH", "TTL", "TYPE", "XLEN",
    "XPENDING", "XRANGE", "XREVRANGE", "ZCARD", "ZCOUNT", "ZDIFF", "ZINTER", "ZINTERCARD",
    "ZLEXCOUNT", "ZMSCORE", "ZRANDMEMBER", "ZRANGE", "ZRANGEBYLEX", "ZRANGEBYSCORE", "ZRANK",
    "ZREVRANGE", "ZREVRANGEBYLEX", "ZREVRANGEBYSCORE", "ZREVRANK", "ZSCAN", "ZSCORE", "ZUNION",
];

/// Those of them that are a part of a command.
const READ_ONLY_PARTS: [(&str, &str); 8] = [
    ("MEMORY", "USAGE"),
    ("OBJECT", "ENCODING"),
    ("OBJECT", "FREQ"),
    ("OBJECT", "IDLETIME"),
    ("OBJECT", "REFCOUNT"),
    ("XINFO", "CONSUMERS"),
    ("XINFO", "GROUPS"),
    ("XINFO", "STREAM"),
];

/// Commands about one connection or one server, transactions, and those that always block. Sorted.
#[rustfmt::skip]
const ITS_OWN: [&str; 50] = [
    "ACL", "ASKING", "AUTH", "BGREWRITEAOF", "BGSAVE", "BLMOVE", "BLMPOP", "BLPOP", "BRPOP",
    "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "CLIENT", "CLUSTER", "CONFIG", "DEBUG",
    "DISCARD", "EXEC", "FAILOVER", "HELLO", "LATENCY", "MODULE", "MONITOR", "MULTI", "PFDEBUG",
    "PFSELFTEST", "PSUBSCRIBE", "PSYNC", "PUNSUBSCRIBE", "QUIT", "READONLY", "READWRITE",
    "REPLCONF", "REPLICAOF", "RESET", "SAVE", "SELECT", "SHUTDOWN", "SLAVEOF", "SLOWLOG",
    "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE", "SYNC", "UNSUBSCRIBE", "UNWATCH", "WAIT", "WAITAOF",
    "WATCH",
];

/// Whether this command changes nothing, wherever it runs and however often.
pub(super) fn is_read_only<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> bool {
    let Some(name) = words.next() else { return false };
    if is_in(&READ_ONLY, name) || is(name, "XREAD") {
        return true;
    }
    let part = words.next().unwrap_or_default();
    READ_ONLY_PARTS.iter().any(|(whole, it)| is(name, whole) && is(part, it))
}

/// Whether this command means something to the connection or the server it is sent to, and nothing,
/// or something else, to another.
pub(super) fn is_its_own<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> bool {
    let Some(name) = words.next() else { return false };
    is_in(&ITS_OWN, name) || reads_streams(name) && blocks(words)
}

/// Whether the word is this one, which is in capitals.
pub(super) fn is(word: &[u8], this: &str) -> bool {
    word.eq_ignore_ascii_case(this.as_bytes())
}

fn reads_streams(name: &[u8]) -> bool {
    is(name, "XREAD") || is(name, "XREADGROUP")
}

/// Whether the options, which end where the streams begin, say so.
fn blocks<'a>(options: impl Iterator<Item = &'a [u8]>) -> bool {
    options.take_while(|word| !is(word, "STREAMS")).any(|word| is(word, "BLOCK"))
}

fn is_in(sorted: &[&str], word: &[u8]) -> bool {
    sorted.binary_search_by(|it| compare(it, word)).is_ok()
}

fn compare(this: &str, word: &[u8]) -> Ordering {
    this.bytes().cmp(word.iter().map(u8::to_ascii_uppercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        assert!(READ_ONLY.is_sorted());
        assert!(ITS_OWN.is_sorted());
    }
}
