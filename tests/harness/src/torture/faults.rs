//! What breaks, and when: a script that the daemon's fault points and the proxy before the server ask.
//!
//! Rules are armed one after the other: the second waits until the first has struck. So one script says "kill it at its
//! activation, then lose the next commit of whoever takes the operation up", and it says the same at each repetition.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::request;
use crate::Cluster;
use crate::proxy::Proxy;

/// A stopped daemon is resumed when another has taken over, or after this long where none can.
const LONGEST_STOP: Duration = Duration::from_secs(10);

/// A daemon that lives gets from its last commit to the next point much faster.
const PASSING: Duration = Duration::from_millis(500);

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing: what is armed next waits until this point is passed.
    Go,
    /// The effect's answer is lost: an error that passes.
    Lost,
    /// An error that does not pass.
    Refuse,
    Panic,
    /// `kill -9` of the daemon.
    Kill,
    /// All connections of the daemon to the server are cut.
    Cut,
    /// The server ends all sessions of the daemon's roles.
    Terminate,
    /// The daemon is stopped until another has taken over.
    Stop,
    /// The server crashes and starts again.
    Restart,
    /// An operator asks for the operation's end.
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    Before,
    After,
}

/// Where a COMMIT is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// It never reaches the server.
    Before,
    /// It reaches the server, and nobody waits for the answer.
    After,
    /// It is answered, and the answer is lost.
    Answer,
    /// The daemon's connection is cut at once, and the COMMIT comes to the server later.
    Late,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// At a point; without a place, at any.
    At { place: Option<&'static str>, moment: Option<Moment>, skip: u32, fault: Fault },
    /// At a COMMIT, whichever connection it is on.
    Commit { skip: u32, cut: Cut },
}

/// What is to break, and what did.
#[derive(Debug, Default)]
pub struct Script {
    rules: VecDeque<Rule>,
    /// Points passed and COMMITs seen, in order.
    pub trace: Vec<String>,
    pub struck: usize,
}

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
    /// Points that wait for their answer.
    waiting: AtomicUsize,
    /// Where daemons are asked, by process.
    pub sockets: Mutex<HashMap<i32, PathBuf>>,
    restarting: tokio::sync::Mutex<()>,
}

impl Script {
    /// A COMMIT passes by.
    pub fn at_commit(&mut self) -> Option<Cut> {
        self.trace.push("COMMIT".to_owned());
        let Some(Rule::Commit { skip, cut }) = self.rules.front_mut() else { return None };
        if *skip > 0 {
            *skip -= 1;
            return None;
        }
        let cut = *cut;
        self.strike(format!("{cut:?}"));
        Some(cut)
    }

    fn at_point(&mut self, pid: i32, at: &str, when: Moment) -> Option<Fault> {
        self.trace.push(format!("{pid} {at} {when:?}"));
        let Some(Rule::At { place, moment, skip, fault }) = self.rules.front_mut() else { return None };
        if place.is_some_and(|place| place != at) || moment.is_some_and(|moment| moment != when) {
            return None;
        }
        if *skip > 0 {
            *skip -= 1;
            return None;
        }
        let fault = *fault;
        self.strike(format!("{fault:?}"));
        Some(fault)
    }

    fn strike(&mut self, what: String) {
        self.rules.pop_front();
        self.struck += 1;
        self.trace.push(format!("! {what}"));
    }
}

/// Something struck that does not pass by itself, or ended the very attempt that was to outlast it: only then may an operation
/// ask for a person.
pub fn struck_for_good(trace: &[String]) -> bool {
    let lasting = [Fault::Refuse, Fault::Panic].map(|fault| format!("! {fault:?}"));
    trace.iter().any(|line| lasting.contains(line))
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

    /// From now on this breaks, and nothing else.
    pub fn load(&self, rules: Vec<Rule>) {
        *self.script.lock().unwrap() = Script { rules: rules.into(), ..Script::default() };
    }

    /// Waits a moment for the daemon to come past what it has just put on record, where something is to break there.
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

    /// Nothing breaks any more, and nothing is being broken; gives what was.
    pub async fn unload(&self) -> Script {
        self.script.lock().unwrap().rules.clear();
        // A restart of the server is the longest.
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
                // Two that come at once are one.
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
        kill(process, Signal::SIGSTOP).unwrap();
        let begin = Instant::now();
        while begin.elapsed() < LONGEST_STOP && self.epoch().await == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // One that was killed meanwhile is gone.
        let _ = kill(process, Signal::SIGCONT);
    }

    async fn epoch(&self) -> i64 {
        let Some(mut control) = self.superuser(&self.world.control_db).await else { return 0 };
        let epoch = sqlx::query_scalar("select epoch from control.epoch").fetch_one(&mut control).await;
        control.close().await.ok();
        epoch.unwrap_or_default()
    }
}
