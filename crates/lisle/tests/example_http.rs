//! The example servers, spoken to over raw sockets: what a client may do that a benchmark does not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, world\n";
const OK_CLOSE: &str =
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\nHello, world\n";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// A running example; ended on drop.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts the example `name`, which cargo has built beside this test.
    fn start(name: &str) -> Server {
        Self::start_with(name, "exec")
    }

    /// [`start`](Self::start) by a shell that does `before` in front of the command.
    fn start_with(name: &str, before: &str) -> Server {
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
        let path: PathBuf = profile.join("examples").join(name);
        let mut child = Command::new("sh")
            .args(["-c", &format!("{before} \"$0\" 127.0.0.1:0")])
            .arg(&path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(
            !address.is_empty(),
            "{} has not started; `cargo build --examples`?",
            path.display()
        );
        Server { child, address: address.trim_end().to_owned() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        // A server that forgets to answer fails the test instead of holding it up.
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// Everything that the server says to `request` until it closes the connection.
    fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn expect(stream: &mut TcpStream, wanted: &str) {
    let mut reply = vec![0; wanted.len()];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(String::from_utf8_lossy(&reply), wanted);
}

#[test]
fn keep_alive() {
    let server = Server::start("http_server");
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(GET).unwrap();
        expect(&mut stream, OK);
    }
}

#[test]
fn pipelined_requests() {
    let server = Server::start("http_server");
    let mut stream = server.connect();
    // More than one read's worth, so that a request lies across the end of the buffer.
    stream.write_all(&GET.repeat(200)).unwrap();
    expect(&mut stream, &OK.repeat(200));
}

#[test]
fn split_request() {
    let server = Server::start("http_server");
    let mut stream = server.connect();
    stream.set_nodelay(true).unwrap();
    for byte in GET {
        stream.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    expect(&mut stream, OK);
}

#[test]
fn a_close_in_mid_request_harms_nobody() {
    let server = Server::start("http_server");
    let mut stream = server.connect();
    stream.write_all(b"GET / HT").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0);
    assert_eq!(server.exchange(b"GET / HTTP/1.0\r\n\r\n"), OK_CLOSE);
}

#[test]
fn connection_close() {
    let server = Server::start("http_server");
    let request = b"GET / HTTP/1.1\r\nHost: x\r\nCONNECTION: foo, Close\r\n\r\n";
    // What follows the last request is not answered.
    assert_eq!(server.exchange(&[request, GET].concat()), OK_CLOSE);
    assert_eq!(server.exchange(b"GET / HTTP/1.0\r\n\r\n"), OK_CLOSE);
}

#[test]
fn head_has_no_body() {
    let server = Server::start("http_server");
    let request = b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert_eq!(server.exchange(request), OK_CLOSE.strip_suffix("Hello, world\n").unwrap());
}

#[test]
fn bad_request() {
    let server = Server::start("http_server");
    let reply = server.exchange(b"\x01\x02 nonsense\r\n\r\n");
    assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
    assert!(reply.contains("Connection: close"), "{reply}");
}

#[test]
fn good_requests_before_a_bad_one_are_answered() {
    let server = Server::start("http_server");
    let reply = server.exchange(&[GET, b"\0\r\n\r\n"].concat());
    assert!(reply.starts_with(&[OK, "HTTP/1.1 400 "].concat()), "{reply}");
}

#[test]
fn head_too_large() {
    let server = Server::start("http_server");
    let long = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 30_000], b"\r\n\r\n"].concat();
    let reply = server.exchange(&long);
    assert!(reply.starts_with("HTTP/1.1 431 "), "{reply}");
    let many = [b"GET / HTTP/1.1\r\n".as_slice(), &b"X: x\r\n".repeat(100), b"\r\n"].concat();
    let reply = server.exchange(&many);
    assert!(reply.starts_with("HTTP/1.1 431 "), "{reply}");
    let fits = [b"GET / HTTP/1.0\r\nX: ".as_slice(), &[b'x'; 8000], b"\r\n\r\n"].concat();
    assert_eq!(server.exchange(&fits), OK_CLOSE);
}

#[test]
fn bodies_are_refused() {
    let server = Server::start("http_server");
    for framing in ["Content-Length: 3", "Transfer-Encoding: chunked"] {
        let request = format!("POST / HTTP/1.1\r\n{framing}\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        let reply = server.exchange(request.as_bytes());
        assert!(reply.starts_with("HTTP/1.1 413 "), "{reply}");
        assert_eq!(reply.matches("HTTP/1.1").count(), 1, "a body was taken for a request: {reply}");
    }
    let empty = b"GET / HTTP/1.0\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(server.exchange(empty), OK_CLOSE);
}

/// `accept` fails while all descriptors are taken; the server must outlive that, at little cost.
#[test]
fn running_out_of_descriptors() {
    let server = Server::start_with("http_server", "ulimit -n 128; exec");
    let crowd: Vec<TcpStream> = (0..160).map(|_| server.connect()).collect();
    std::thread::sleep(Duration::from_millis(500));
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count();
    // One that was inherited may have a number beyond the limit.
    assert!((128..140).contains(&open), "{open} descriptors are no sign of the limit");
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    assert!(ticks < 25, "{ticks} hundredths of a second of processor time to do nothing");
    drop(crowd);
    assert_eq!(server.exchange(b"GET / HTTP/1.0\r\n\r\n"), OK_CLOSE);
}

#[test]
fn echo() {
    let server = Server::start("echo_server");
    let mut stream = server.connect();
    let sent = "lisle ".repeat(1000);
    stream.write_all(sent.as_bytes()).unwrap();
    expect(&mut stream, &sent);
}
