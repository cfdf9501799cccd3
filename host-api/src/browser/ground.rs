//! The thread that a browser is started on, and the network that it stands in. Where the system allows it, that network is an empty one: no
//! device but its own loopback, on which nothing listens but the proxies that this thread binds there. Whatever a page sends past its
//! proxy has nowhere to go.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc;

use caps::CapSet;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, send, socket};
use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// The thread; it ends when this is dropped and its work is done.
#[derive(Clone)]
pub(super) struct Ground {
    work: mpsc::Sender<Work>,
    isolated: bool,
}

impl Ground {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there is no thread to be had, or it stands in a network that nothing works in.
    pub(super) async fn start() -> io::Result<Self> {
        let (work, orders) = mpsc::channel::<Work>();
        let (told, made) = oneshot::channel();
        std::thread::Builder::new().name("browser".to_owned()).spawn(move || {
            // Nobody hears it when the one who starts this is gone, and there is no work then.
            let _ = told.send(isolate());
            orders.iter().for_each(|work| work());
        })?;
        let isolated = made.await.map_err(|_| io::Error::other("the browser's thread ended"))??;
        Ok(Self { work, isolated })
    }

    /// Whether the network is an empty one.
    pub(super) fn is_isolated(&self) -> bool {
        self.isolated
    }

    /// Does something on the thread.
    ///
    /// # Errors
    /// What the work says, or that the thread has ended.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (done, result) = oneshot::channel();
        self.post(move || drop(done.send(work())));
        result.await.map_err(|_| io::Error::other("the browser's thread ended"))?
    }

    /// Does something on the thread, and nobody waits for it.
    pub(super) fn post(&self, work: impl FnOnce() + Send + 'static) {
        // The thread outlives its last handle.
        let _ = self.work.send(Box::new(work));
    }

    /// A listener on the loopback of that network.
    ///
    /// # Errors
    /// When it can't be bound.
    pub(super) async fn listen(&self) -> io::Result<TcpListener> {
        self.run(|| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        })
        .await
    }
}

/// An empty network for this thread, and for what it starts; whether there is one. Without `CAP_NET_ADMIN` its loopback can't be set up,
/// and the thread goes back to where it was. What is started on it has no right of ours: rights that a service was given pass to its
/// programs otherwise, and the browser could leave its network with them.
fn isolate() -> io::Result<bool> {
    let isolated = match std::fs::File::open("/proc/thread-self/ns/net") {
        Ok(before) if unshare(CloneFlags::CLONE_NEWNET).is_ok() => {
            let works = loopback_up().is_ok();
            if !works {
                setns(before, CloneFlags::CLONE_NEWNET)?;
            }
            works
        }
        _ => false,
    };
    caps::clear(None, CapSet::Ambient).map_err(io::Error::other)?;
    Ok(isolated)
}

/// Asks the kernel to set the first device up (rtnetlink(7): `RTM_NEWLINK` with `ifinfomsg`).
fn loopback_up() -> io::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_ACK: u16 = 1 | 4;
    const LOOPBACK: i32 = 1;
    const UP: u32 = 1;
    let mut message = Vec::with_capacity(32);
    message.extend(32u32.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(REQUEST_ACK.to_ne_bytes());
    // Sequence, sender; family and padding, type of the device.
    message.extend([0; 8]);
    message.extend([0; 4]);
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    let kernel = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    send(std::os::fd::AsRawFd::as_raw_fd(&kernel), &message, MsgFlags::empty())?;
    let mut answer = [0; 64];
    let read = nix::unistd::read(&kernel, &mut answer)?;
    // `nlmsgerr`: the header of 16 bytes, then the error, which is none when it is 0.
    match answer.get(16..20).filter(|_| read >= 20) {
        Some([0, 0, 0, 0]) => Ok(()),
        _ => Err(io::Error::other("the kernel did not set the loopback up")),
    }
}
