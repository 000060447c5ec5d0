use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{ReadHalf, WriteHalf},
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::counts::Tally;

/// No Redis reads this as a command, no client as a reply.
const GARBAGE: &[u8] = b"*\xff\r\n";

/// What happens to the bytes of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// They arrive.
    Pass,
    /// They are kept, the end of the stream too, and arrive once this changes.
    Hold,
    /// They are lost. A connection that lost some stays silent in this direction for ever.
    Drop,
    /// They arrive this much later.
    Delay(Duration),
    /// Each connection forwards this many more and is then closed both ways.
    CutAfter(u64),
    /// As many others arrive.
    Garbage,
}

/// Which bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The requests.
    ToServer = 0,
    /// The replies.
    ToClient = 1,
}

/// The flow of each direction, and how often it was set: setting a cut again starts it again.
pub(super) type Faults = [(Flow, u64); 2];

/// One direction of one connection.
pub(super) struct Line<'a> {
    to: WriteHalf<'a>,
    direction: Direction,
    faults: watch::Receiver<Faults>,
    tally: &'a Tally,
    lossy: bool,
    left: (u64, u64),
}

/// The connection is over in both directions.
pub(super) struct Over;

impl<'a> Line<'a> {
    pub(super) const fn new(
        to: WriteHalf<'a>,
        direction: Direction,
        faults: watch::Receiver<Faults>,
        tally: &'a Tally,
    ) -> Self {
        Self { to, direction, faults, tally, lossy: false, left: (0, 0) }
    }

    /// Reads ahead of what it delivers, so that what the sender wrote before it went away is kept.
    pub(super) async fn forward(mut self, mut from: ReadHalf<'_>) -> Result<(), Over> {
        let (sender, mut queue) = mpsc::unbounded_channel();
        let read = async move {
            loop {
                let mut bytes = vec![0; 16 * 1024];
                let n = from.read(&mut bytes).await.unwrap_or(0);
                bytes.truncate(n);
                if sender.send((Instant::now(), bytes)).is_err() || n == 0 {
                    return Ok(());
                }
            }
        };
        let write = async {
            while let Some((read_at, bytes)) = queue.recv().await {
                self.deliver(read_at, bytes).await?;
            }
            Ok(())
        };
        tokio::try_join!(read, write).map(|_| ())
    }

    async fn deliver(&mut self, read_at: Instant, bytes: Vec<u8>) -> Result<(), Over> {
        let len = bytes.len() as u64;
        let mut waited = false;
        loop {
            let (flow, turn) = self.faults.borrow_and_update()[self.direction as usize];
            match flow {
                _ if self.lossy => {
                    self.tally.count(|counts| counts.dropped += len);
                    return Ok(());
                }
                Flow::Pass => return self.write(&bytes).await,
                Flow::Hold => {
                    if !waited {
                        self.tally.count(|counts| counts.held += 1);
                        waited = true;
                    }
                    self.faults.changed().await.map_err(|_| Over)?;
                }
                Flow::Drop => self.lossy = true,
                Flow::Delay(by) => tokio::select! {
                    () = sleep_until(read_at + by) => {
                        self.tally.count(|counts| counts.delayed += 1);
                        return self.write(&bytes).await;
                    }
                    changed = self.faults.changed() => changed.map_err(|_| Over)?,
                },
                Flow::CutAfter(after) => {
                    let left = if self.left.0 == turn { self.left.1 } else { after };
                    if len == 0 || len < left {
                        self.left = (turn, left - len);
                        return self.write(&bytes).await;
                    }
                    self.tally.count(|counts| counts.cut += 1);
                    self.write(&bytes[..left.min(len) as usize]).await?;
                    return Err(Over);
                }
                Flow::Garbage => {
                    self.tally.count(|counts| counts.garbled += len);
                    let garbage = GARBAGE.iter().copied().cycle().take(bytes.len());
                    return self.send(&garbage.collect::<Vec<_>>()).await;
                }
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Over> {
        self.tally.count(|counts| match self.direction {
            Direction::ToServer => counts.to_server += bytes.len() as u64,
            Direction::ToClient => counts.to_client += bytes.len() as u64,
        });
        self.send(bytes).await
    }

    /// Hands on these bytes, or the end of the stream if there are none.
    async fn send(&mut self, bytes: &[u8]) -> Result<(), Over> {
        let sent = if bytes.is_empty() {
            self.to.shutdown().await
        } else {
            self.to.write_all(bytes).await
        };
        sent.map_err(|_| Over)
    }
}
