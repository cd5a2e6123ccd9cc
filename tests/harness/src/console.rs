//! The console in a pseudo terminal: it takes keys, and gives the screen as a terminal would show it.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

use super::binaries;
use super::wait::PATIENCE;

pub struct Console {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    terminal: Arc<Terminal>,
}

/// What the reader thread fills and the test reads.
struct Terminal {
    state: Mutex<ConsoleState>,
    changed: Condvar,
}

struct ConsoleState {
    parser: vt100::Parser,
    /// Everything that was written, for what a screen does not show.
    bytes: Vec<u8>,
    ended: bool,
}

/// What the console writes after each frame: the end of a synchronised update.
const END_OF_FRAME: &[u8] = b"\x1b[?2026l";

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

impl Console {
    /// `tenantry` with these arguments in a terminal of 80 columns and 24 rows.
    pub fn start(arguments: &[&str], home: &Path) -> Self {
        let pty = native_pty_system().openpty(size(24, 80)).unwrap();
        let mut command = CommandBuilder::new(binaries::tenantry());
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env("HOME", home);
        command.env("LANG", "C.UTF-8");
        for variable in ["XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "TENANTRY_SOCKET", "NO_COLOR"]
        {
            command.env_remove(variable);
        }
        command.cwd("/");
        let child = pty.slave.spawn_command(command).unwrap();
        // Our copy of the slave must be closed; otherwise the end of the program would not end the reader.
        drop(pty.slave);
        let (rows, columns) = (NonZeroU16::new(24).unwrap(), NonZeroU16::new(80).unwrap());
        let terminal = Arc::new(Terminal {
            state: Mutex::new(ConsoleState {
                parser: vt100::Parser::new(rows, columns, 0),
                bytes: Vec::new(),
                ended: false,
            }),
            changed: Condvar::new(),
        });
        let mut reader = pty.master.try_clone_reader().unwrap();
        let keys = pty.master.take_writer().unwrap();
        let filled = terminal.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = reader.read(&mut buffer).unwrap_or(0);
                let mut state = filled.state.lock().unwrap();
                state.parser.process(&buffer[..read]);
                state.bytes.extend_from_slice(&buffer[..read]);
                state.ended = read == 0;
                filled.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self { child, master: pty.master, keys, terminal }
    }

    /// Types keys; `\r` is enter, `\u{1b}` escape, `\u{13}` ctrl-s.
    pub fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the screen's text is as wanted, and returns it; panics with the last screen if that never happens.
    #[track_caller]
    pub fn wait_for_screen(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.terminal.state.lock().unwrap();
        loop {
            let screen = state.parser.screen().contents();
            if wanted(&screen) {
                return screen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !state.ended,
                "the screen never showed {what}{}\n{}\n{screen}\n{0}",
                if state.ended { ", the program ended" } else { "" },
                "─".repeat(80)
            );
            state = self.terminal.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    #[track_caller]
    pub fn wait_for_text(&self, text: &str) -> String {
        self.wait_for_screen(&format!("'{text}'"), |screen| screen.contains(text))
    }

    /// The whole screen once it shows the text and the frame with that text is complete.
    #[track_caller]
    pub fn wait_for_frame(&self, text: &str) -> vt100::Screen {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.terminal.state.lock().unwrap();
        loop {
            let screen = state.parser.screen();
            if state.bytes.ends_with(END_OF_FRAME) && screen.contents().contains(text) {
                return screen.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !state.ended, "no frame showed '{text}'\n{}", screen.contents());
            state = self.terminal.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    pub fn resize(&self, rows: u16, cols: u16) {
        let (lines, columns) = (rows.try_into().unwrap(), cols.try_into().unwrap());
        self.terminal.state.lock().unwrap().parser.screen_mut().set_size(lines, columns);
        self.master.resize(size(rows, cols)).unwrap();
    }

    /// Waits until the program has ended and all its output was read; returns its status and all bytes.
    pub fn wait_for_end(mut self) -> (ExitStatus, Vec<u8>) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.terminal.state.lock().unwrap();
        while !state.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the console does not end\n{}", state.parser.screen().contents());
            state = self.terminal.changed.wait_timeout(state, left).unwrap().0;
        }
        let bytes = std::mem::take(&mut state.bytes);
        drop(state);
        (self.child.wait().unwrap(), bytes)
    }

    /// Whether the program uses the alternate screen, and whether the cursor is hidden.
    pub fn modes(&self) -> (bool, bool) {
        let state = self.terminal.state.lock().unwrap();
        (state.parser.screen().alternate_screen(), state.parser.screen().hide_cursor())
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // Only a process that still runs is killed: the pid of an ended one may belong to another process by now.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
