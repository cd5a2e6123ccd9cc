//! stub
use std::path::PathBuf;
#[derive(Debug, thiserror::Error)]
pub(crate) enum UiError {
    #[error("{0}")]
    Terminal(#[from] std::io::Error),
}
pub(crate) async fn run(_socket: PathBuf) -> Result<(), UiError> {
    Ok(())
}
