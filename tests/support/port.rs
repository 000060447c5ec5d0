use std::{io, net::SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// A free port of 127.0.0.1 that stays ours while nobody listens on it.
///
/// A socket that is bound but never listens holds it: connections are refused, no other test is
/// given the port, and no client that keeps dialling it gets it as its own source port and so
/// connects to itself. Elsewhere than on Linux the port is free between two listeners.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _held: Option<TcpSocket>,
}

impl Port {
    /// Takes a free port.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn take() -> Self {
        Self::try_take().expect("127.0.0.1 has a free port")
    }

    fn try_take() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let number = socket.local_addr()?.port();
        // Bound without it, so that a port held by another is never chosen; shared from now on.
        socket.set_reuseaddr(true)?;
        Ok(Self { number, _held: cfg!(target_os = "linux").then_some(socket) })
    }

    /// Its number.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Listens on it.
    ///
    /// # Errors
    ///
    /// When somebody else does.
    pub fn listen(&self) -> io::Result<TcpListener> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], self.number)))?;
        socket.listen(1024)
    }
}
