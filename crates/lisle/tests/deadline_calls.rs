//! Every call of std that waits, stopped while it waits and before: the error is right, and
//! descriptor, buffer and program are in order afterwards.
//!
//! In 1:1 mode the kernel's own waits are not stopped, so nothing here applies.

mod util;

use std::fmt::Debug;
use std::io::{self, IoSliceMut, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lisle::{CancelToken, Stop};
use util::{everywhere, tcp_pair, threads};

/// What a place holds that nobody has written to.
const EMPTY: u8 = 0xa5;

/// Makes the call stop in each way, always before it can end by itself.
#[track_caller]
fn stops<T: Debug>(mut call: impl FnMut() -> io::Result<T>) {
    let time = Duration::from_millis(5);
    let began = Instant::now();
    let error = lisle::deadline(time, &mut call).unwrap_err();
    assert_eq!((Stop::of(&error), error.kind()), (Some(Stop::TimedOut), io::ErrorKind::TimedOut));
    assert!(began.elapsed() >= time, "it was no wait that ended");

    let token = CancelToken::new();
    let theirs = token.clone();
    // On a single worker it runs when this coroutine waits.
    let canceller = lisle::spawn(move || theirs.cancel());
    let error = token.run(&mut call).unwrap_err();
    assert!(canceller.join().unwrap());
    assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));

    let error = token.run(&mut call).unwrap_err();
    assert_eq!(Stop::of(&error), Some(Stop::Cancelled), "called under a cancelled token");
    let error = lisle::deadline(Duration::ZERO, &mut call).unwrap_err();
    assert_eq!(Stop::of(&error), Some(Stop::TimedOut), "called after its deadline");
}

/// A test of calls on coroutines.
macro_rules! calls {
    ($($(#[$attribute:meta])* $name:ident $body:block)*) => {$(
        $(#[$attribute])*
        #[test]
        fn $name() {
            everywhere(|| if !threads() { $body });
        }
    )*};
}

/// A reader that got nothing: its buffer is as it was, and what comes later is read whole.
fn reads_on<R: Read, W: Write>(mut ours: R, mut theirs: W) {
    let mut buffer = [EMPTY; 64];
    stops(|| ours.read(&mut buffer));
    assert_eq!(buffer, [EMPTY; 64]);
    theirs.write_all(b"what comes later").unwrap();
    // Also by a frame in whose place others were meanwhile.
    let mut again = [0; 64];
    assert_eq!(ours.read(&mut again).unwrap(), 16);
    assert_eq!(&again[..16], b"what comes later");
    assert_eq!(buffer, [EMPTY; 64], "written after the return");
    drop(theirs);
    assert_eq!(ours.read(&mut again).unwrap(), 0);
}

/// A writer whose other end does not read: what it wrote until it was stopped is there, and no
/// more.
fn writes_on<W: Write, R: Read>(mut ours: W, mut theirs: R) {
    let part = [7; 1 << 16];
    let mut written = 0;
    stops(|| -> io::Result<()> {
        loop {
            written += ours.write(&part)?;
        }
    });
    drop(ours);
    let mut all = Vec::new();
    theirs.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), written);
}

calls! {
    tcp_read { let (ours, theirs) = tcp_pair(); reads_on(ours, theirs); }
    unix_read { let (ours, theirs) = UnixStream::pair().unwrap(); reads_on(ours, theirs); }
    pipe_read { let (ours, theirs) = io::pipe().unwrap(); reads_on(ours, theirs); }
    pipe_read_as_a_file {
        let (ours, theirs) = io::pipe().unwrap();
        let ours: std::os::fd::OwnedFd = ours.into();
        reads_on(std::fs::File::from(ours), theirs);
    }
    terminal_read {
        let (ours, theirs) = terminal();
        let mut ours = ours;
        let mut buffer = [EMPTY; 64];
        stops(|| ours.read(&mut buffer));
        assert_eq!(buffer, [EMPTY; 64]);
        (&theirs).write_all(b"line\n").unwrap();
        assert_eq!(ours.read(&mut buffer).unwrap(), 5);
    }
    tcp_write { let (ours, theirs) = tcp_pair(); writes_on(ours, theirs); }
    unix_write { let (ours, theirs) = UnixStream::pair().unwrap(); writes_on(ours, theirs); }
    pipe_write { let (ours, theirs) = io::pipe().unwrap(); writes_on(theirs, ours); }

    tcp_peek_and_vectored_read {
        let (ours, mut theirs) = tcp_pair();
        let (mut one, mut other) = ([EMPTY; 8], [EMPTY; 8]);
        stops(|| ours.peek(&mut one));
        stops(|| {
            let mut parts = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
            (&ours).read_vectored(&mut parts)
        });
        assert_eq!((one, other), ([EMPTY; 8], [EMPTY; 8]));
        theirs.write_all(b"twelve bytes").unwrap();
        // All of it: the other end closes behind.
        drop(theirs);
        let mut all = Vec::new();
        (&ours).read_to_end(&mut all).unwrap();
        assert_eq!(all, b"twelve bytes");
    }

    tcp_accept {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        stops(|| listener.accept());
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_stream, address) = listener.accept().unwrap();
        assert_eq!(address, client.local_addr().unwrap());
    }

    unix_accept {
        let folder = util::Folder::new("accept", true);
        let path = folder.at("socket");
        let listener = UnixListener::bind(&path).unwrap();
        stops(|| listener.accept());
        let _client = UnixStream::connect(&path).unwrap();
        listener.accept().unwrap();
    }

    udp_receive {
        let [ours, theirs] = [0; 2].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
        let mut buffer = [EMPTY; 64];
        stops(|| ours.recv_from(&mut buffer));
        stops(|| ours.peek_from(&mut buffer));
        ours.connect(theirs.local_addr().unwrap()).unwrap();
        stops(|| ours.recv(&mut buffer));
        assert_eq!(buffer, [EMPTY; 64]);
        theirs.send_to(b"datagram", ours.local_addr().unwrap()).unwrap();
        assert_eq!(ours.recv(&mut buffer).unwrap(), 8);
    }

    unix_datagram_receive {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let mut buffer = [EMPTY; 64];
        stops(|| ours.recv(&mut buffer));
        assert_eq!(buffer, [EMPTY; 64]);
        theirs.send(b"datagram").unwrap();
        assert_eq!(ours.recv(&mut buffer).unwrap(), 8);
    }

    child_wait {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        stops(|| child.wait());
        assert!(child.try_wait().unwrap().is_none(), "it runs on");
        child.kill().unwrap();
        // The answer is there, or comes: a child is taken care of.
        assert!(!child.wait().unwrap().success());
    }

    child_output {
        for _ in 0..2 {
            let mut command = Command::new("sleep");
            let child = command.arg("1000").stdout(Stdio::piped()).stderr(Stdio::piped());
            let child = child.spawn().unwrap();
            let id = child.id() as i32;
            // std takes errors of these reads for bugs, and panics.
            let output = std::panic::catch_unwind(|| {
                lisle::deadline(Duration::from_millis(5), || child.wait_with_output())
            });
            assert!(output.is_err());
            // SAFETY: a child that nobody has waited for.
            unsafe {
                libc::kill(id, libc::SIGKILL);
                assert_eq!(libc::waitpid(id, std::ptr::null_mut(), 0), id);
            }
        }
    }

    a_child_that_has_ended_is_waited_for_after_the_deadline {
        let mut child = Command::new("true").spawn().unwrap();
        util::yield_until(|| has_ended(child.id()));
        let status = lisle::deadline(Duration::ZERO, || child.wait());
        assert!(status.unwrap().success());
    }

    standard_input {
        // Instead of the one that the test has, for which there is no other end.
        let (reader, mut writer) = io::pipe().unwrap();
        // SAFETY: plain calls on open descriptors.
        let old = unsafe { libc::dup(0) };
        // SAFETY: as above.
        unsafe { libc::dup2(reader.as_raw_fd(), 0) };
        let mut line = String::new();
        stops(|| io::stdin().read_line(&mut line));
        writer.write_all(b"a line\n").unwrap();
        io::stdin().read_line(&mut line).unwrap();
        assert_eq!(line, "a line\n");
        // SAFETY: as above.
        unsafe { libc::dup2(old, 0) };
        // SAFETY: as above.
        unsafe { libc::close(old) };
    }

    connect_with_a_timeout_of_its_own {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_secs(1000));
        let late = lisle::deadline(Duration::ZERO, connect);
        assert_eq!(Stop::of(&late.unwrap_err()), Some(Stop::TimedOut));
        connect().unwrap();
    }

    connect_to_who_does_not_accept {
        let (address, _full) = full_listener();
        stops(|| TcpStream::connect(address));
    }

    unix_connect_to_who_does_not_accept {
        let folder = util::Folder::new("connect", true);
        let path = folder.at("socket");
        let listener = UnixListener::bind(&path).unwrap();
        // SAFETY: a plain call on an open socket.
        unsafe { libc::listen(listener.as_raw_fd(), 0) };
        let _full = UnixStream::connect(&path).unwrap();
        stops(|| UnixStream::connect(&path));
        listener.accept().unwrap();
        UnixStream::connect(&path).unwrap();
    }

    unix_datagram_send {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let mut sent = 0;
        stops(|| -> io::Result<()> {
            loop {
                ours.send(&[7; 1000])?;
                sent += 1;
            }
        });
        theirs.set_nonblocking(true).unwrap();
        let mut buffer = [0; 1000];
        for _ in 0..sent {
            theirs.recv(&mut buffer).unwrap();
            assert_eq!(buffer, [7; 1000]);
        }
        assert!(theirs.recv(&mut buffer).is_err(), "what was stopped was sent");
        ours.send(&[9; 1000]).unwrap();
    }

    open_of_a_fifo {
        let folder = util::Folder::new("fifo", true);
        let path = folder.at("fifo");
        // SAFETY: a C string.
        assert_eq!(unsafe { libc::mkfifo(util::c_path(&path).as_ptr(), 0o600) }, 0);
        stops(|| std::fs::File::open(&path));
        let theirs = path.clone();
        let writer = lisle::spawn(move || std::fs::write(theirs, "over the FIFO").unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"over the FIFO");
        writer.join().unwrap();
        // Both ends in one, so that reading waits.
        let both = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let theirs = both.try_clone().unwrap();
        let mut buffer = [EMPTY; 8];
        stops(|| (&both).read(&mut buffer));
        (&theirs).write_all(b"more").unwrap();
        assert_eq!((&both).read(&mut buffer).unwrap(), 4);
    }

    locks_of_files {
        let folder = util::Folder::new("locks", true);
        let path = folder.at("file");
        let [held, wanted] = [0; 2].map(|_| std::fs::File::create(&path).unwrap());
        held.lock().unwrap();
        stops(|| wanted.lock());
        stops(|| wanted.lock_shared());
        held.unlock().unwrap();
        wanted.lock().unwrap();

        let lock = |file: &std::fs::File, command| {
            // SAFETY: all-zero is a lock of everything from the beginning.
            let mut lock: libc::flock = unsafe { std::mem::zeroed() };
            lock.l_type = libc::F_WRLCK as i16;
            // SAFETY: a live lock.
            match unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        };
        lock(&held, libc::F_OFD_SETLK).unwrap();
        stops(|| lock(&wanted, libc::F_OFD_SETLKW));
    }

    any_child {
        // In a process of its own: others have children, too.
        if util::is_child() {
            let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
            // SAFETY: a plain call.
            stops(|| match unsafe { libc::wait(std::ptr::null_mut()) } {
                -1 => Err(io::Error::last_os_error()),
                id => Ok(id),
            });
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    moving_within_the_kernel {
        let (ours, mut theirs) = io::pipe().unwrap();
        let (mut end, to) = io::pipe().unwrap();
        stops(|| {
            let null = std::ptr::null_mut();
            let (from, to) = (ours.as_raw_fd(), to.as_raw_fd());
            // SAFETY: open descriptors and no offsets.
            match unsafe { libc::splice(from, null, to, null, 100, 0) } {
                -1 => Err(io::Error::last_os_error()),
                count => Ok(count),
            }
        });
        theirs.write_all(b"bytes").unwrap();
        drop(theirs);
        let mut ours = ours;
        io::copy(&mut ours, &mut { to }).unwrap();
        let mut all = Vec::new();
        end.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"bytes");
    }

    files {
        let folder = util::Folder::new("calls", true);
        let path = folder.at("file");
        std::fs::write(&path, [7; 100]).unwrap();
        let mut file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        lisle::deadline(Duration::ZERO, || {
            let is_late = |result: io::Result<()>| {
                assert_eq!(Stop::of(&result.unwrap_err()), Some(Stop::TimedOut));
            };
            is_late(file.read(&mut [0; 8]).map(drop));
            is_late(file.write(&[0; 8]).map(drop));
            is_late(file.sync_all());
            is_late(file.lock());
            is_late(std::fs::read(&path).map(drop));
            is_late(std::fs::File::open(&path).map(drop));
            is_late(std::fs::copy(&path, folder.at("copy")).map(drop));
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 100);
            std::fs::remove_file(&path).unwrap();
        });
        let mut all = Vec::new();
        file.read_to_end(&mut all).unwrap();
        assert_eq!(all, [7; 100]);
    }

    names {
        use std::net::ToSocketAddrs;
        let late = lisle::deadline(Duration::ZERO, || "localhost:80".to_socket_addrs().map(drop));
        assert!(late.is_err());
        assert!("127.0.0.1:80".to_socket_addrs().is_ok());
        lisle::deadline(Duration::ZERO, || "127.0.0.1:80".to_socket_addrs().unwrap());
        // On a coroutine of its own, with the same answer.
        let plain: Vec<_> = "localhost:80".to_socket_addrs().unwrap().collect();
        let stoppable = || "localhost:80".to_socket_addrs().unwrap().collect();
        let under: Vec<_> = lisle::deadline(Duration::from_secs(1000), stoppable);
        assert_eq!(under, plain);
        let nowhere = || "no such name.invalid:80".to_socket_addrs().map(drop).unwrap_err();
        let (under, plain) = (lisle::deadline(Duration::from_secs(1000), nowhere), nowhere());
        assert_eq!(under.to_string(), plain.to_string());
    }

    printing_goes_on {
        lisle::deadline(Duration::ZERO, || {
            println!("printed on standard output");
            eprintln!("printed on standard error");
        });
    }

    what_is_set_not_to_block_is_left_alone {
        let (ours, mut theirs) = tcp_pair();
        ours.set_nonblocking(true).unwrap();
        let mut buffer = [0; 8];
        lisle::deadline(Duration::ZERO, || {
            let error = (&ours).read(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        });
        theirs.write_all(b"bytes").unwrap();
        util::yield_until(|| ours.peek(&mut [0; 1]).is_ok());
        lisle::deadline(Duration::ZERO, || assert_eq!((&ours).read(&mut buffer).unwrap(), 5));
    }

    a_timeout_of_the_socket_that_is_nearer_is_its_own {
        let (mut ours, _theirs) = tcp_pair();
        ours.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let error = lisle::deadline(Duration::from_secs(1000), || ours.read(&mut [0; 8]));
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        ours.set_read_timeout(Some(Duration::from_secs(1000))).unwrap();
        stops(|| ours.read(&mut [0; 8]));
    }
}

/// Whether a child has ended and waits to be waited for.
fn has_ended(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.trim_start().starts_with('Z')
}

/// A listener that takes no more connections.
fn full_listener() -> (std::net::SocketAddr, (TcpListener, Vec<TcpStream>)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: a plain call on an open socket; its queue becomes as short as can be.
    unsafe { libc::listen(listener.as_raw_fd(), 0) };
    let address = listener.local_addr().unwrap();
    let mut made = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        made.push(stream);
    }
    (address, (listener, made))
}

/// The ends of a terminal: what a program reads from, and what types.
fn terminal() -> (std::fs::File, std::fs::File) {
    let (mut ours, mut theirs) = (0, 0);
    let name = std::ptr::null_mut();
    // SAFETY: live places; nothing is wanted of the terminal.
    let made = unsafe {
        libc::openpty(&raw mut theirs, &raw mut ours, name, std::ptr::null(), std::ptr::null())
    };
    assert_eq!(made, 0);
    // SAFETY: new descriptors that nobody else has.
    unsafe { (std::fs::File::from_raw_fd(ours), std::fs::File::from_raw_fd(theirs)) }
}
