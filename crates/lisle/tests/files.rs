//! Regular files: on a coroutine all is as on a thread, and no worker is held up.
//!
//! Most cases compare what calls tell on an OS thread and on a coroutine, as in `twins.rs`. What
//! goes by path is in `paths.rs`.

mod util;

use std::ffi::c_int;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;

use util::{
    Folder, Random, everywhere, evict, in_child, limit, open, part, pattern, pread, scaled,
    tcp_pair, told, twins, twins_of_a_child,
};

#[test]
fn reading_what_is_cached_and_what_is_not() {
    twins(|coroutine| {
        let folder = Folder::new("reading", coroutine);
        let data = pattern(200_100);
        fs::write(folder.at("data"), &data).unwrap();
        let file = File::open(folder.at("data")).unwrap();
        let fd = file.as_raw_fd();
        let mut lines = Vec::new();
        for evicted in [false, true] {
            // Whole, over its end, at its end, beyond, nothing.
            for (len, offset) in
                [(200_100, 0), (250_000, 5), (9, 200_099), (9, 200_100), (9, 1 << 40), (0, 0)]
            {
                if evicted {
                    evict(&file);
                }
                lines.push(pread(fd, &data, len, offset));
            }
            // One part cached, then over both.
            if evicted {
                evict(&file);
                lines.push(pread(fd, &data, 10_000, 50_000));
                lines.push(pread(fd, &data, 150_000, 49_000));
                lines.push(pread(fd, &data, 150_000, 60_500));
            }
        }
        lines.push(pread(fd, &data, 9, -1));
        lines.push(pread(fd, &data, 9, i64::MIN));
        lines.push(pread(fd, &data, 9, i64::MAX));
        lines
    });
}

#[test]
fn reading_at_the_position() {
    twins(|coroutine| {
        let folder = Folder::new("position", coroutine);
        let data = pattern(1_000_000);
        fs::write(folder.at("data"), &data).unwrap();
        let mut file = File::open(folder.at("data")).unwrap();
        let fd = file.as_raw_fd();
        let mut lines = Vec::new();
        // SAFETY: an open file, lists of live places.
        unsafe {
            for evicted in [false, true] {
                libc::lseek(fd, 0, libc::SEEK_SET);
                if evicted {
                    evict(&file);
                }
                let mut all = Vec::new();
                // Parts of which one page was read before, and one that is large.
                for len in [10, 70_000, 4096, 0, 300_000, 200_000, 600_000, 1] {
                    let mut place = vec![0; len];
                    let got = file.read(&mut place).unwrap();
                    all.extend_from_slice(&place[..got]);
                    lines.push(format!("{got} {}", libc::lseek(fd, 0, libc::SEEK_CUR)));
                }
                assert!(all == data, "the bytes of the file");
                libc::lseek(fd, 999_000, libc::SEEK_SET);
                let (mut one, mut two) = (vec![0; 700], vec![0; 700]);
                let parts = [part(&mut one), part(&mut []), part(&mut two)];
                lines.push(told("readv", libc::readv(fd, parts.as_ptr(), 3)));
                lines.push(told("readv at the end", libc::readv(fd, parts.as_ptr(), 3)));
                assert!(one == data[999_000..999_700] && two[..300] == data[999_700..]);
                lines.push(told("preadv", libc::preadv(fd, parts.as_ptr(), 3, 5)));
                assert!(one == data[5..705] && two == data[705..1405]);
                libc::lseek(fd, 100, libc::SEEK_SET);
                lines.push(told("preadv2", libc::preadv2(fd, parts.as_ptr(), 3, -1, 0)));
                assert!(one == data[100..800] && two == data[800..1500]);
                lines.push(format!("{}", libc::lseek(fd, 0, libc::SEEK_CUR)));
                let now = libc::preadv2(fd, parts.as_ptr(), 3, 5, libc::RWF_NOWAIT);
                lines.push(told("preadv2 of what is there", now));
                let bad = libc::preadv2(fd, parts.as_ptr(), 3, 5, 0x4000_0000);
                lines.push(told("preadv2 with flags that are none", bad));
                lines.push(told("too many", libc::preadv(fd, parts.as_ptr(), 5000, 5)));
                lines.push(told("less than none", libc::readv(fd, parts.as_ptr(), -1)));
            }
        }
        lines
    });
}

#[test]
fn any_part_of_it_may_be_cached() {
    everywhere(|| {
        let folder = Folder::new("any-part", true);
        let data = pattern(230_123);
        fs::write(folder.at("data"), &data).unwrap();
        lisle::scope(|scope| {
            for seed in 0..4 {
                let (folder, data) = (&folder, &data);
                scope.spawn(move || {
                    let mut random = Random::new(seed);
                    let file = File::open(folder.at("data")).unwrap();
                    evict(&file);
                    for _ in 0..200 {
                        let (from, len) = (random.below(data.len()), random.below(1 << 17));
                        let fd = file.as_raw_fd();
                        if random.below(3) == 0 {
                            let (from, len) = (from as i64, len as i64);
                            // SAFETY: a plain call on an open file.
                            unsafe {
                                libc::posix_fadvise(fd, from, len, libc::POSIX_FADV_DONTNEED)
                            };
                        }
                        let (mut one, mut two) = (vec![0; random.below(5000)], vec![0; len]);
                        let parts = [part(&mut one), part(&mut two)];
                        // SAFETY: a list of live places.
                        let got = unsafe { libc::preadv(fd, parts.as_ptr(), 2, from as i64) };
                        let expected = (one.len() + two.len()).min(data.len() - from);
                        assert_eq!(got, expected as isize);
                        let read = [one, two].concat();
                        assert!(read[..expected] == data[from..from + expected]);
                        assert!(read[expected..].iter().all(|byte| *byte == 0));
                    }
                });
            }
        });
    });
}

#[test]
fn writing() {
    twins(|coroutine| {
        let folder = Folder::new("writing", coroutine);
        let file = File::create(folder.at("data")).unwrap();
        let log = File::options().append(true).create(true).open(folder.at("log")).unwrap();
        let fast = File::options()
            .write(true)
            .create(true)
            .custom_flags(libc::O_SYNC)
            .open(folder.at("synced"))
            .unwrap();
        let (mut hello, mut world) = (*b"hello ", *b"world");
        let parts = [part(&mut hello), part(&mut []), part(&mut world)];
        let large = pattern(400_000);
        let mut lines = Vec::new();
        for (name, file) in [("data", file), ("log", log), ("synced", fast)] {
            let fd = file.as_raw_fd();
            // SAFETY: an open file, lists of live places.
            unsafe {
                let position = || libc::lseek(fd, 0, libc::SEEK_CUR);
                lines.push(told("write", libc::write(fd, hello.as_ptr().cast(), 6)));
                lines.push(told("writev", libc::writev(fd, parts.as_ptr(), 3)));
                lines.push(told("pwrite", libc::pwrite(fd, b"abc".as_ptr().cast(), 3, 20)));
                lines.push(told("pwritev", libc::pwritev(fd, parts.as_ptr(), 3, 30)));
                lines.push(format!("{}", position()));
                lines.push(told("pwritev2", libc::pwritev2(fd, parts.as_ptr(), 3, -1, 0)));
                let synced = libc::pwritev2(fd, parts.as_ptr(), 3, 60, libc::RWF_DSYNC);
                lines.push(told("pwritev2, synced", synced));
                let len = large.len();
                lines.push(told("large", libc::write(fd, large.as_ptr().cast(), len)));
                lines.push(format!("{}", position()));
                lines.push(told("negative", libc::pwrite(fd, b"abc".as_ptr().cast(), 3, -5)));
                lines.push(told("nothing", libc::write(fd, large.as_ptr().cast(), 0)));
                lines.push(told("read", libc::read(fd, hello.as_mut_ptr().cast(), 6)));
            }
            let content = fs::read(folder.at(name)).unwrap();
            let sum: usize = content.iter().zip(1..).map(|(byte, i)| usize::from(*byte) * i).sum();
            lines.push(format!("{} {sum} {:?}", content.len(), &content[..80]));
        }
        let closed = File::open(folder.at("data")).unwrap();
        // SAFETY: a descriptor that is open for reading.
        let told_so = unsafe { libc::write(closed.as_raw_fd(), b"x".as_ptr().cast(), 1) };
        lines.push(told("write to what is read", told_so));
        lines
    });
}

#[test]
fn past_the_page_cache() {
    twins(|coroutine| {
        let folder = Folder::new("direct", coroutine);
        fs::write(folder.at("data"), pattern(100_000)).unwrap();
        let fd = open(&folder.c("data"), libc::O_RDWR | libc::O_DIRECT);
        if fd < 0 {
            return vec![told("no such thing here", -1)];
        }
        let mut place = vec![0_u8; 4 * 4096];
        let start = place.as_ptr().align_offset(4096);
        let place = &mut place[start..];
        let mut lines = Vec::new();
        // SAFETY: offsets and lengths within the place; our own descriptor.
        unsafe {
            lines.push(told("aligned", libc::pread(fd, place.as_mut_ptr().cast(), 4096, 0)));
            assert!(place[..4096] == pattern(4096));
            for (skip, len, offset) in [(1, 4096, 0), (0, 100, 0), (0, 4096, 7), (0, 8192, 98_304)]
            {
                let at = place.as_mut_ptr().add(skip).cast();
                lines.push(told("read", libc::pread(fd, at, len, offset)));
                lines.push(told("write", libc::pwrite(fd, at, len, offset)));
            }
            // The flag can be taken away and given.
            let flags = libc::fcntl(fd, libc::F_GETFL);
            libc::fcntl(fd, libc::F_SETFL, flags & !libc::O_DIRECT);
            lines.push(told("cached", libc::pread(fd, place.as_mut_ptr().cast(), 100, 7)));
            libc::fcntl(fd, libc::F_SETFL, flags);
            lines.push(told("direct", libc::pread(fd, place.as_mut_ptr().cast(), 100, 7)));
            libc::close(fd);
        }
        lines
    });
}

#[test]
fn files_have_a_limit() {
    let ended = in_child(&[], || {
        twins_of_a_child(|coroutine| {
            let folder = Folder::new("limit", coroutine);
            let file = File::create(folder.at("file")).unwrap();
            let (fd, data) = (file.as_raw_fd(), pattern(8_000));
            // SAFETY: a signal's default or nothing; the data has that length.
            unsafe {
                libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                limit(libc::RLIMIT_FSIZE, 10_000);
                let write = |name| told(name, libc::write(fd, data.as_ptr().cast(), 8_000));
                let mut lines = vec![write("whole"), write("in part"), write("no more")];
                let beyond = libc::pwrite(fd, data.as_ptr().cast(), 8_000, 11_000);
                lines.push(told("beyond", beyond));
                lines.push(told("longer", libc::ftruncate(fd, 11_000) as isize));
                limit(libc::RLIMIT_FSIZE, libc::RLIM_INFINITY);
                lines
            }
        });
    });
    ended.expect_return();
}

unsafe extern "C" {
    fn closefrom(first: c_int);
}

#[test]
fn a_number_that_was_closed_unseen() {
    let ended = in_child(&[], || {
        lisle::spawn(|| {
            let folder = Folder::new("unseen", true);
            fs::write(folder.at("file"), b"of the file").unwrap();
            let mut place = [0_u8; 11];
            // The runtime may take a number first, if it just then opens something of its own.
            let seen = (0..100).any(|_| {
                let (ours, mut theirs) = UnixStream::pair().unwrap();
                theirs.write_all(b"of the pair").unwrap();
                let (ours, theirs) = (ours.into_raw_fd(), theirs.into_raw_fd());
                // SAFETY: our own descriptors, a live place. All above the pair are nobody's.
                unsafe {
                    assert_eq!(libc::read(ours, place.as_mut_ptr().cast(), 11), 11);
                    closefrom(ours.min(theirs));
                    let fds = [(); 2].map(|()| open(&folder.c("file"), libc::O_RDONLY));
                    let again = fds.contains(&ours);
                    if again {
                        // Not as if it were a socket.
                        assert_eq!(libc::read(ours, place.as_mut_ptr().cast(), 11), 11);
                    }
                    fds.iter().for_each(|fd| assert_eq!(libc::close(*fd), 0));
                    again
                }
            });
            assert!(seen, "the lowest numbers that are free");
            assert_eq!(&place, b"of the file");
        })
        .join()
        .unwrap();
    });
    ended.expect_return();
}

#[test]
fn lines_of_a_log_stay_whole() {
    everywhere(|| {
        let folder = Folder::new("log", true);
        let log = File::options().append(true).create(true).open(folder.at("log")).unwrap();
        lisle::scope(|scope| {
            for writer in 0..20 {
                let log = &log;
                scope.spawn(move || {
                    for line in 0..100 {
                        let text = format!("{writer} {line} {}\n", "x".repeat(line * 40));
                        (&mut &*log).write_all(text.as_bytes()).unwrap();
                        lisle::yield_now();
                    }
                });
            }
        });
        let text = fs::read_to_string(folder.at("log")).unwrap();
        let mut next = [0; 20];
        for line in text.lines() {
            let mut words = line.split(' ');
            let mut number = || words.next().unwrap().parse::<usize>().unwrap();
            let (writer, line) = (number(), number());
            assert_eq!(words.next().unwrap().len(), line * 40);
            assert_eq!(next[writer], line);
            next[writer] += 1;
        }
        assert_eq!(next, [100; 20]);
    });
}

#[test]
fn a_thousand_coroutines_with_files_beside_a_conversation() {
    everywhere(|| {
        let folder = Folder::new("many", true);
        let (mut ours, mut theirs) = tcp_pair();
        let talk = lisle::spawn(move || {
            let mut byte = [0];
            while let Ok(1) = theirs.read(&mut byte) {
                theirs.write_all(&byte).unwrap();
            }
        });
        let count = scaled(1000, 100);
        let users: Vec<_> = (0..count)
            .map(|number| {
                let own = folder.at(&format!("{number}"));
                lisle::spawn(move || {
                    fs::create_dir(&own).unwrap();
                    let (old, new) = (own.join("old"), own.join("new"));
                    let data = pattern(1000 + number);
                    fs::write(&old, &data).unwrap();
                    fs::rename(&old, &new).unwrap();
                    assert!(!old.exists());
                    assert_eq!(fs::metadata(&new).unwrap().len(), data.len() as u64);
                    assert!(fs::read(&new).unwrap() == data);
                    assert_eq!(fs::read_dir(&own).unwrap().count(), 1);
                    fs::remove_file(&new).unwrap();
                    assert_eq!(
                        fs::metadata(&new).unwrap_err().kind(),
                        std::io::ErrorKind::NotFound
                    );
                    fs::remove_dir(&own).unwrap();
                })
            })
            .collect();
        for round in 0..200_u8 {
            let mut byte = [round];
            ours.write_all(&byte).unwrap();
            ours.read_exact(&mut byte).unwrap();
            assert_eq!(byte, [round]);
        }
        for user in users {
            user.join().unwrap();
        }
        drop(ours);
        talk.join().unwrap();
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    });
}
