//! An echo server with a thread per connection, in plain `std::net`: only `spawn` is Lisle's.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".into());
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    loop {
        let start = |(stream, _)| lisle::Builder::new().spawn(move || echo(stream));
        if let Err(error) = listener.accept().and_then(start) {
            eprintln!("cannot take a connection: {error}");
            std::thread::sleep(Duration::from_millis(50)); // others may end meanwhile
        }
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}
