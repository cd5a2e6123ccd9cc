//! Answers the daemon's fault points as the script says, and performs the faults.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::proxy::Proxy;
use super::request;
use super::script::{Fault, Moment, Rule, Script};
use crate::Cluster;

/// A stopped daemon is resumed when another has taken over, or after this time if none can.
const LONGEST_STOP: Duration = Duration::from_secs(10);

/// A live daemon gets from its last commit to the next point much faster than this.
const PASSING: Duration = Duration::from_millis(500);

pub struct World {
    pub cluster: Arc<Cluster>,
    pub control_db: String,
    /// The daemon's roles.
    pub roles: Vec<String>,
}

/// Answers the daemon's fault points.
pub struct Faults {
    pub socket: PathBuf,
    pub script: Arc<Mutex<Script>>,
    proxy: Arc<Proxy>,
    world: World,
    /// How many points wait for their answer.
    waiting: AtomicUsize,
    /// The socket of each daemon, by process.
    pub sockets: Mutex<HashMap<i32, PathBuf>>,
    restarting: tokio::sync::Mutex<()>,
}

impl Faults {
    pub fn listen(dir: &Path, world: World, proxy: Arc<Proxy>, script: Arc<Mutex<Script>>) -> Arc<Self> {
        let socket = dir.join("faults.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let faults = Arc::new(Self {
            socket,
            script,
            proxy,
            world,
            waiting: AtomicUsize::new(0),
            sockets: Mutex::default(),
            restarting: tokio::sync::Mutex::default(),
        });
        let served = Arc::clone(&faults);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let faults = Arc::clone(&served);
                tokio::spawn(async move { faults.answer(stream).await });
            }
        });
        faults
    }

    /// From now on these rules apply, and no others.
    pub fn load(&self, rules: Vec<Rule>) {
        *self.script.lock().unwrap() = Script { rules: rules.into(), ..Script::default() };
    }

    /// If a fault is still due, waits a moment for the daemon to pass the point after what it has just put on record.
    pub async fn let_pass(&self) {
        let begin = Instant::now();
        loop {
            {
                let script = self.script.lock().unwrap();
                let last = script.trace.last();
                if script.rules.is_empty() || last.is_some_and(|last| last.ends_with("outcome After")) {
                    return;
                }
            }
            if begin.elapsed() > PASSING {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops all faults, waits for the ones in progress, and returns the script.
    pub async fn unload(&self) -> Script {
        self.script.lock().unwrap().rules.clear();
        // A restart of the server takes the longest.
        while self.waiting.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::mem::take(&mut *self.script.lock().unwrap())
    }

    async fn answer(&self, stream: UnixStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let mut question = String::new();
        stream.read_line(&mut question).await.ok()?;
        let mut words = question.split_whitespace();
        let (pid, place, moment) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
        let moment = if moment == "before" { Moment::Before } else { Moment::After };
        let fault = self.script.lock().unwrap().at_point(pid, place, moment);
        let answer = match fault {
            None => "go\n",
            Some(fault) => {
                self.waiting.fetch_add(1, Ordering::SeqCst);
                let answer = self.strike(fault, pid).await;
                self.waiting.fetch_sub(1, Ordering::SeqCst);
                answer
            }
        };
        // A daemon that was killed does not listen.
        stream.write_all(answer.as_bytes()).await.ok()
    }

    async fn strike(&self, fault: Fault, pid: i32) -> &'static str {
        let process = Pid::from_raw(pid);
        match fault {
            Fault::Go => {}
            Fault::Lost => return "lost\n",
            Fault::Refuse => return "refuse\n",
            Fault::Panic => return "panic\n",
            Fault::Kill => {
                let _ = kill(process, Signal::SIGKILL);
            }
            Fault::Cut => self.proxy.cut(pid),
            Fault::Terminate => self.terminate().await,
            Fault::Stop => self.stop(process).await,
            Fault::Cancel => self.cancel(pid).await,
            Fault::Restart => {
                // Two restarts at the same time count as one.
                let _turn = self.restarting.lock().await;
                let cluster = Arc::clone(&self.world.cluster);
                tokio::task::spawn_blocking(move || {
                    cluster.crash();
                    cluster.restart();
                })
                .await
                .unwrap();
            }
        }
        "go\n"
    }

    /// `None` while the server is away, because another fault strikes at the same time.
    async fn superuser(&self, database: &str) -> Option<PgConnection> {
        self.world.cluster.options(database).connect().await.ok()
    }

    async fn terminate(&self) {
        let Some(mut superuser) = self.superuser("postgres").await else { return };
        let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = any($1)";
        sqlx::query(end).bind(&self.world.roles).execute(&mut superuser).await.ok();
        superuser.close().await.ok();
    }

    async fn cancel(&self, pid: i32) {
        let Some(mut control) = self.superuser(&self.world.control_db).await else { return };
        let unfinished = "select id from control.operation where state in ('queued', 'running', 'unwinding')
                          order by id desc limit 1";
        let found = sqlx::query_scalar(unfinished).fetch_optional(&mut control).await.ok().flatten();
        control.close().await.ok();
        let socket = self.sockets.lock().unwrap().get(&pid).cloned();
        if let (Some(operation), Some(socket)) = (found, socket) {
            request::cancel(&socket, operation).await;
        }
    }

    async fn stop(&self, process: Pid) {
        let before = self.epoch().await;
        // It may have been killed in the meantime.
        let _ = kill(process, Signal::SIGSTOP);
        let begin = Instant::now();
        while begin.elapsed() < LONGEST_STOP && self.epoch().await == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // A process that was killed meanwhile is gone.
        let _ = kill(process, Signal::SIGCONT);
    }

    async fn epoch(&self) -> i64 {
        let Some(mut control) = self.superuser(&self.world.control_db).await else { return 0 };
        let epoch = sqlx::query_scalar("select epoch from control.epoch").fetch_one(&mut control).await;
        control.close().await.ok();
        epoch.unwrap_or_default()
    }
}
