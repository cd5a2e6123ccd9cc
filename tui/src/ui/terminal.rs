//! The terminal: taking it over, drawing frames on it, and giving it back in every case.
//!
//! Invariant: a frame is one write, inside synchronised-update marks. Dropping the [`TerminalScreen`] gives the terminal
//! back, and so does a panic.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once, PoisonError};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use data_encoding::BASE64;
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

use super::UiError;

const BEGIN_FRAME: &[u8] = b"\x1b[?2026h";
const END_FRAME: &[u8] = b"\x1b[?2026l";

/// Where the backend writes to: memory, until the frame is complete.
#[derive(Debug, Clone, Default)]
struct Pending(Arc<Mutex<Vec<u8>>>);

impl Pending {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct TerminalScreen {
    terminal: Terminal<CrosstermBackend<Pending>>,
    pending: Pending,
}

impl TerminalScreen {
    pub(super) fn enter() -> Result<Self, UiError> {
        restore_on_panic();
        // The theme decides about colours; crossterm's own handling of NO_COLOR would disable the reversed rows too.
        crossterm::style::force_color_output(true);
        take().map_err(UiError::Enter)?;
        let pending = Pending::default();
        match Terminal::new(CrosstermBackend::new(pending.clone())) {
            Ok(terminal) => Ok(Self { terminal, pending }),
            Err(error) => {
                give_back();
                Err(UiError::Enter(error))
            }
        }
    }

    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> Result<(), UiError> {
        self.terminal.draw(view).map_err(UiError::Draw)?;
        let frame = self.pending.take();
        if frame.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(frame.len() + BEGIN_FRAME.len() + END_FRAME.len());
        bytes.extend_from_slice(BEGIN_FRAME);
        bytes.extend_from_slice(&frame);
        bytes.extend_from_slice(END_FRAME);
        write(&bytes)
    }

    /// Copies a text to the clipboard of the operator's terminal, also over SSH (OSC 52).
    pub(super) fn copy(&mut self, text: &str) -> Result<(), UiError> {
        write(format!("\x1b]52;c;{}\x07", BASE64.encode(text.as_bytes())).as_bytes())
    }

    /// Gives the terminal back, stops this process until it is resumed, then draws everything again.
    pub(super) fn suspend(&mut self) -> Result<(), UiError> {
        give_back();
        let stopped = nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP);
        take().map_err(UiError::Enter)?;
        self.terminal = Terminal::new(CrosstermBackend::new(self.pending.clone())).map_err(UiError::Enter)?;
        stopped.map_err(|errno| UiError::Enter(errno.into()))
    }
}

impl Drop for TerminalScreen {
    fn drop(&mut self) {
        give_back();
    }
}

fn write(bytes: &[u8]) -> Result<(), UiError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(UiError::Draw)
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide, Clear(ClearType::All))
}

/// Best effort: a terminal that is gone needs no restoring.
fn give_back() {
    let _ = execute!(io::stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            report(panic);
        }));
    });
}
