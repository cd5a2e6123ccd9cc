//! The framing: a 4-byte big-endian length, then that many bytes of JSON, at most [`MAX_FRAME_BYTES`].
//!
//! Decoding reads from the slice that is already in memory; tokio-serde's own JSON codec reads byte by byte through
//! `io::Read`, which is slower. It also contains panics of a decoder, because a peer's bytes must not end a connection
//! task.

use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest frame either side sends or accepts, in bytes.
pub const MAX_FRAME_BYTES: usize = 8 * 1024 * 1024;

/// JSON in, JSON out: `In` is what this side reads, `Out` what it writes.
#[derive(Debug)]
pub struct JsonCodec<In, Out> {
    types: PhantomData<fn(Out) -> In>,
    /// Replaces a message that no frame can hold.
    instead: Option<fn(&Out) -> Out>,
}

impl<In, Out> Default for JsonCodec<In, Out> {
    fn default() -> Self {
        Self { types: PhantomData, instead: None }
    }
}

impl<In, Out> JsonCodec<In, Out> {
    /// Sends a replacement for a message that is too large, so that the connection goes on.
    pub fn with(instead: fn(&Out) -> Out) -> Self {
        Self { types: PhantomData, instead: Some(instead) }
    }
}

impl<In: DeserializeOwned, Out> tokio_serde::Deserializer<In> for JsonCodec<In, Out> {
    type Error = io::Error;

    fn deserialize(self: Pin<&mut Self>, frame: &BytesMut) -> io::Result<In> {
        // tarpc turns a relative deadline into an `Instant` while decoding, which panics on overflow.
        match catch_unwind(AssertUnwindSafe(|| serde_json::from_slice(frame))) {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(error)) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a value in the frame is out of range")),
        }
    }
}

impl<In, Out: Serialize> tokio_serde::Serializer<Out> for JsonCodec<In, Out> {
    type Error = io::Error;

    fn serialize(self: Pin<&mut Self>, message: &Out) -> io::Result<Bytes> {
        let mut frame = serde_json::to_vec(message)?;
        if let (true, Some(instead)) = (frame.len() > MAX_FRAME_BYTES, self.instead) {
            frame = serde_json::to_vec(&instead(message))?;
        }
        if frame.len() > MAX_FRAME_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the message is larger than a frame may be",
            ));
        }
        Ok(frame.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio_serde::Serializer as _;

    use super::*;

    #[test]
    fn a_message_larger_than_a_frame_is_refused_before_it_is_sent() {
        let mut codec = JsonCodec::<(), String>::default();
        let quotes = 2;
        let fits = "x".repeat(MAX_FRAME_BYTES - quotes);
        assert_eq!(Pin::new(&mut codec).serialize(&fits).unwrap().len(), MAX_FRAME_BYTES);
        let error = Pin::new(&mut codec).serialize(&format!("{fits}x")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_side_that_has_something_else_to_say_sends_that() {
        let mut codec = JsonCodec::<(), String>::with(|message| format!("{} bytes", message.len()));
        let frame = Pin::new(&mut codec).serialize(&"x".repeat(MAX_FRAME_BYTES)).unwrap();
        assert_eq!(frame, format!("\"{MAX_FRAME_BYTES} bytes\""));
        assert_eq!(Pin::new(&mut codec).serialize(&"fits".to_owned()).unwrap(), "\"fits\"");
    }
}
