//! Points where a test can break an operation: before and after each of its effects.
//!
//! Compiled in with the feature `faults` only; without it the effect is returned unchanged, and the program contains none
//! of this. With it, each point asks the test what is to happen there, and waits for the answer. Meanwhile the test can
//! also act on the environment: kill or stop this process, cut its connections, restart the server.

#[cfg(feature = "faults")]
pub(crate) use points::around;

/// An effect with a point before it and one after it.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) fn around<F>(_place: &'static str, effect: F) -> F {
    effect
}

/// Whether the audit trail is left out, to measure its cost.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) const fn audit_is_off() -> bool {
    false
}

#[cfg(feature = "faults")]
pub(crate) use points::audit_is_off;

/// What a test did to an effect.
#[cfg(feature = "faults")]
#[derive(Debug)]
pub(crate) enum Broken {
    /// As if the server had gone away in the middle of the effect.
    Lost(&'static str),
    /// As if the server had refused the effect.
    Refused(String),
}

#[cfg(feature = "faults")]
mod points {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::UnixStream;

    use super::Broken;

    /// Whether the audit trail is left out, to measure its cost.
    pub(crate) fn audit_is_off() -> bool {
        static IS_OFF: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *IS_OFF.get_or_init(|| std::env::var_os("TENANTRY_AUDIT_OFF").is_some())
    }

    /// Names the socket on which the test listens.
    const VARIABLE: &str = "TENANTRY_FAULT_SOCKET";

    /// An effect with a point before it and one after it.
    pub(crate) async fn around<T, E: From<Broken>>(
        place: &'static str,
        effect: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        point(place, "before").await?;
        let value = effect.await?;
        point(place, "after").await?;
        Ok(value)
    }

    #[expect(clippy::panic, reason = "a panic is one of the faults")]
    async fn point(place: &'static str, moment: &str) -> Result<(), Broken> {
        let Some(socket) = std::env::var_os(VARIABLE) else { return Ok(()) };
        let question = format!("{} {place} {moment}\n", std::process::id());
        // If the test no longer answers, nothing breaks.
        let Ok(answer) = ask(socket.as_ref(), &question).await else { return Ok(()) };
        match answer.trim() {
            "lost" => Err(Broken::Lost(place)),
            "refuse" => Err(Broken::Refused(format!("a test refused {place} {moment} the effect"))),
            "panic" => panic!("a test asked for a panic at {place} {moment} the effect"),
            _ => Ok(()),
        }
    }

    async fn ask(socket: &std::path::Path, question: &str) -> std::io::Result<String> {
        let mut stream = BufReader::new(UnixStream::connect(socket).await?);
        stream.write_all(question.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_line(&mut answer).await?;
        Ok(answer)
    }
}
