//! The socket without the client: typed calls through tarpc, and raw frames for badly behaved peers.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tarpc::context::Context;
use tenantry_protocol::frame::{JsonCodec, MAX_FRAME_BYTES};
use tenantry_protocol::session::{ClientInfo, HelloRequest};
use tenantry_protocol::{PROTOCOL_VERSION, TenantryClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::codec::LengthDelimitedCodec;

use super::wait::within;

/// Connected, but not yet introduced.
pub async fn connect(socket: &Path) -> TenantryClient {
    over(UnixStream::connect(socket).await.expect("the daemon listens"))
}

/// Typed calls over a connection.
pub fn over(stream: UnixStream) -> TenantryClient {
    let framed = LengthDelimitedCodec::builder().max_frame_length(MAX_FRAME_BYTES).new_framed(stream);
    let transport = tarpc::serde_transport::new(framed, JsonCodec::default());
    TenantryClient::new(tarpc::client::Config::default(), transport).spawn()
}

/// Connected, and `hello` was sent.
pub async fn client(socket: &Path) -> TenantryClient {
    let client = connect(socket).await;
    client
        .hello(context(), hello(PROTOCOL_VERSION))
        .await
        .expect("hello is answered")
        .expect("hello is accepted");
    client
}

pub fn hello(protocol_version: u32) -> HelloRequest {
    let client = ClientInfo {
        name: "tests".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        claimed: Default::default(),
    };
    HelloRequest { protocol_version, client }
}

/// A deadline that no call of a test reaches.
pub fn context() -> Context {
    let mut context = tarpc::context::current();
    context.deadline = Instant::now() + Duration::from_secs(60);
    context
}

/// A connection that sends any bytes, whether or not they are a frame.
#[derive(Debug)]
pub struct RawSocket {
    reader: RawReader,
    writer: RawWriter,
}

#[derive(Debug)]
pub struct RawReader(OwnedReadHalf);

#[derive(Debug)]
pub struct RawWriter(OwnedWriteHalf);

impl RawSocket {
    pub async fn connect(socket: &Path) -> Self {
        UnixStream::connect(socket).await.expect("the daemon listens").into()
    }

    /// Connected, and `hello` was sent, as request 0.
    pub async fn introduced(socket: &Path) -> Self {
        let mut raw = Self::connect(socket).await;
        raw.send_request(0, "Hello", &hello_json(PROTOCOL_VERSION)).await;
        let answer = raw.receive().await.expect("hello is answered");
        assert_eq!(answer["request_id"], 0, "{answer}");
        assert!(answer["message"]["Ok"]["Hello"]["Ok"].is_object(), "{answer}");
        raw
    }

    /// For sending and receiving at once.
    pub fn split(self) -> (RawReader, RawWriter) {
        (self.reader, self.writer)
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.writer.send_bytes(bytes).await;
    }

    pub async fn send_frame(&mut self, content: &[u8]) {
        self.writer.send_frame(content).await;
    }

    pub async fn send_json(&mut self, message: &Value) {
        self.writer.send_json(message).await;
    }

    pub async fn send_request(&mut self, id: u64, method: &str, request: &Value) {
        self.writer.send_json(&envelope(id, method, request)).await;
    }

    /// The next frame; `None` if the peer closed the connection.
    pub async fn receive(&mut self) -> Option<Value> {
        self.reader.receive().await
    }

    /// Ends the input; the answer can still be read.
    pub async fn half_close(&mut self) {
        let _ = self.writer.0.shutdown().await;
    }
}

impl From<UnixStream> for RawSocket {
    fn from(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: RawReader(reader), writer: RawWriter(writer) }
    }
}

impl RawReader {
    pub async fn receive(&mut self) -> Option<Value> {
        within("the daemon answers or closes", async {
            let mut length = [0; 4];
            self.0.read_exact(&mut length).await.ok()?;
            let mut frame = vec![0; u32::from_be_bytes(length) as usize];
            self.0.read_exact(&mut frame).await.ok()?;
            Some(serde_json::from_slice(&frame).expect("a frame is JSON"))
        })
        .await
    }
}

impl RawWriter {
    /// Sends bytes as they are. A peer that has closed the connection already is not a failure, since tests look for that.
    async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    async fn send_frame(&mut self, content: &[u8]) {
        let mut frame = u32::try_from(content.len()).unwrap().to_be_bytes().to_vec();
        frame.extend_from_slice(content);
        self.send_bytes(&frame).await;
    }

    pub async fn send_json(&mut self, message: &Value) {
        self.send_frame(message.to_string().as_bytes()).await;
    }
}

pub fn hello_json(protocol_version: u32) -> Value {
    json!({"protocol_version": protocol_version, "client": {"name": "tests", "version": "0", "claimed": {}}})
}

/// tarpc's envelope around a request, with a deadline of ten seconds.
pub fn envelope(id: u64, method: &str, request: &Value) -> Value {
    json!({"Request": {
        "context": {
            "deadline": {"secs": 10, "nanos": 0},
            "trace_context": {"trace_id": vec![0; 16], "span_id": 0, "sampling_decision": "Unsampled"}
        },
        "id": id,
        "message": {method: {"request": request}}
    }})
}
