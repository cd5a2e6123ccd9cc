//! A proxy to the server that recognises a COMMIT, and can be cut there or at any time.
//!
//! It speaks only as much of the wire protocol as that takes: it finds messages by their lengths and passes them on
//! unchanged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::script::{Cut, Script};

const SOCKET: &str = ".s.PGSQL.5432";
/// How much later a COMMIT arrives with [`Cut::Late`].
const LATE: Duration = Duration::from_millis(120);

pub struct Proxy {
    pub dir: PathBuf,
    server: PathBuf,
    script: Arc<Mutex<Script>>,
    next: AtomicU64,
    /// By number: the process that owns the connection, and the token that cuts it.
    connections: Mutex<HashMap<u64, (i32, CancellationToken)>>,
}

/// What the two directions of a connection share.
struct Connection {
    cut: CancellationToken,
    /// Whether the next answer is lost.
    swallow: AtomicBool,
}

impl Proxy {
    /// Listens in a new folder below `dir` for connections to the server in `server`.
    pub fn listen(dir: &Path, server: &Path, script: Arc<Mutex<Script>>) -> Arc<Self> {
        let dir = dir.join("p");
        std::fs::create_dir(&dir).unwrap();
        let listener = UnixListener::bind(dir.join(SOCKET)).unwrap();
        let proxy = Arc::new(Self {
            dir,
            server: server.join(SOCKET),
            script,
            next: AtomicU64::new(0),
            connections: Mutex::default(),
        });
        let served = Arc::clone(&proxy);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = Arc::clone(&served);
                tokio::spawn(async move { proxy.carry(client).await });
            }
        });
        proxy
    }

    /// Cuts every connection of that process.
    pub fn cut(&self, pid: i32) {
        for (_, cut) in self.connections.lock().unwrap().values().filter(|(owner, _)| *owner == pid) {
            cut.cancel();
        }
    }

    async fn carry(&self, client: UnixStream) {
        let pid = client.peer_cred().ok().and_then(|peer| peer.pid()).unwrap_or_default();
        // If the server is away, the client learns that from the end of its connection.
        let Ok(server) = UnixStream::connect(&self.server).await else { return };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let cut = CancellationToken::new();
        self.connections.lock().unwrap().insert(number, (pid, cut.clone()));
        let connection = Connection { cut: cut.clone(), swallow: AtomicBool::new(false) };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = self.forth(from_client, to_server, &connection) => {}
            () = back(from_server, to_client, &connection) => {}
            () = cut.cancelled() => {}
        }
        self.connections.lock().unwrap().remove(&number);
    }

    /// Passes messages from the client to the server, one by one.
    async fn forth(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, connection: &Connection) {
        let mut buffer = Vec::new();
        // The first message has no type.
        let mut is_started = false;
        loop {
            while let Some(length) = message(&buffer, is_started) {
                let rest = buffer.split_off(length);
                let whole = std::mem::replace(&mut buffer, rest);
                is_started = is_started || !asks_for_encryption(&whole);
                let cut = if is_commit(&whole) { self.script.lock().unwrap().at_commit() } else { None };
                let sent = match cut {
                    None => to.write_all(&whole).await,
                    Some(cut) => return self.cut_at(cut, &whole, to, connection).await,
                };
                if sent.is_err() {
                    return;
                }
            }
            match from.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    async fn cut_at(&self, cut: Cut, commit: &[u8], mut to: OwnedWriteHalf, connection: &Connection) {
        match cut {
            Cut::Before => {}
            Cut::After => _ = to.write_all(commit).await,
            Cut::Answer => {
                connection.swallow.store(true, Ordering::SeqCst);
                if to.write_all(commit).await.is_ok() {
                    connection.cut.cancelled().await;
                }
            }
            Cut::Late => {
                let commit = commit.to_owned();
                // The server's side outlives this connection.
                tokio::spawn(async move {
                    tokio::time::sleep(LATE).await;
                    _ = to.write_all(&commit).await;
                });
            }
        }
    }
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, connection: &Connection) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        if connection.swallow.load(Ordering::SeqCst) {
            return connection.cut.cancel();
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// The length of the first message in the buffer, if it is complete.
fn message(buffer: &[u8], is_typed: bool) -> Option<usize> {
    let head = usize::from(is_typed);
    let length: [u8; 4] = buffer.get(head..head + 4)?.try_into().ok()?;
    let whole = head + u32::from_be_bytes(length) as usize;
    (buffer.len() >= whole).then_some(whole)
}

fn asks_for_encryption(first: &[u8]) -> bool {
    const SSL: u32 = 80_877_103;
    const GSS: u32 = 80_877_104;
    let code = first.get(4..8).and_then(|code| code.try_into().ok()).map(u32::from_be_bytes);
    matches!(code, Some(SSL | GSS)) && first.len() == 8
}

/// Whether it is a simple query, or the parsing of a statement, that says COMMIT and nothing else.
fn is_commit(message: &[u8]) -> bool {
    let text = match message.first() {
        Some(b'Q') => &message[5..],
        // The text follows the statement's name.
        Some(b'P') => message[5..].splitn(2, |byte| *byte == 0).nth(1).unwrap_or_default(),
        _ => return false,
    };
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    text.trim_ascii().trim_ascii_end().strip_suffix(b";").unwrap_or(text).eq_ignore_ascii_case(b"commit")
}
