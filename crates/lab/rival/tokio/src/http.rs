//! HTTP by hyper: the same few bytes for every request, a task per connection.

use std::convert::Infallible;
use std::io;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use lisle_lab_harness::{HTTP_BODY, lengthen_queue, report_port};
use tokio::net::TcpListener;

/// Serves until the process is killed.
pub(crate) async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    lengthen_queue(&listener)?;
    report_port(listener.local_addr()?.port());
    let mut server = http1::Builder::new();
    // The others send no date.
    server.auto_date_header(false);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = server.serve_connection(TokioIo::new(stream), service_fn(answer));
        // The client notices a connection that broke.
        tokio::spawn(async { drop(connection.await) });
    }
}

async fn answer(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(HTTP_BODY.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}
