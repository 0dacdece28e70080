//! Calls by path: on a coroutine all is as on a thread.
//!
//! The cases compare what calls tell on an OS thread and on a coroutine, as in `twins.rs`.

mod util;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::ptr::{null, null_mut};

use util::{
    Folder, Lines, aside, c_path, in_child, limit, open, opening, pattern, pread, told, twins,
    twins_of_a_child,
};

#[test]
fn opening_what_is_there_and_what_is_not() {
    twins(|coroutine| {
        let folder = Folder::new("opening", coroutine);
        fs::write(folder.at("file"), b"text").unwrap();
        fs::create_dir(folder.at("folder")).unwrap();
        symlink("file", folder.at("link")).unwrap();
        symlink("nowhere", folder.at("dangling")).unwrap();
        symlink("loop", folder.at("loop")).unwrap();
        let (read, write) = (libc::O_RDONLY, libc::O_WRONLY);
        let mut lines = Vec::new();
        // Twice: the second time the caches know.
        for round in ["cold", "warm"] {
            lines.push(round.to_owned());
            for name in
                ["file", "folder", "link", "dangling", "loop", "no", "no/no", "file/x", "file/"]
            {
                for flags in [
                    read,
                    write,
                    libc::O_RDWR | libc::O_TRUNC,
                    read | libc::O_NOFOLLOW,
                    read | libc::O_DIRECTORY,
                    libc::O_PATH,
                    libc::O_PATH | libc::O_NOFOLLOW,
                    write | libc::O_CREAT | libc::O_EXCL,
                    read | libc::O_CLOEXEC | libc::O_NONBLOCK,
                ] {
                    lines.push(opening(&format!("{name} {flags:#o}"), &folder.c(name), flags));
                    let _ = fs::remove_file(folder.at("no"));
                }
            }
            lines.push(opening("empty", c"", read));
            lines.push(opening("long", &folder.c(&"x".repeat(300)), read));
            lines.push(opening("/dev/null", c"/dev/null", libc::O_RDWR));
            lines.push(opening("/proc", c"/proc/self/status", read));
            lines.push(opening("nothing in /proc", c"/proc/self/nothing", read));
            lines.push(opening("a temporary file", &folder.c("."), write | libc::O_TMPFILE));
        }
        // SAFETY: the C library says EFAULT.
        lines.push(told("no path", unsafe { libc::open(null(), read) } as isize));
        // SAFETY: a C string; a folder that is not open.
        let elsewhere = unsafe { libc::openat(999_999, c"x".as_ptr(), read) };
        lines.push(told("no folder", elsewhere as isize));
        // SAFETY: a C string.
        let created = unsafe { libc::creat(folder.c("created").as_ptr(), 0o600) };
        lines.push(told("creat", created.min(0) as isize));
        // SAFETY: opened above.
        unsafe { libc::close(created) };
        let mode = fs::metadata(folder.at("created")).unwrap().permissions();
        lines.push(format!("{mode:?}"));
        lines.push(format!(
            "{:?}",
            File::open(folder.at("file")).unwrap().metadata().unwrap().len()
        ));
        lines
    });
}

#[test]
fn opening_fifos() {
    twins(|coroutine| {
        let folder = Folder::new("fifo", coroutine);
        let path = folder.c("fifo");
        // SAFETY: a C string.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
        let mut lines = vec![opening("nobody reads", &path, libc::O_WRONLY | libc::O_NONBLOCK)];
        let (writer, reader) = (folder.at("fifo"), folder.at("fifo"));
        // Each waits for the other to open its end.
        let writer = aside(coroutine, move || {
            let mut end = File::options().write(true).open(writer).unwrap();
            end.write_all(b"through the fifo").unwrap();
        });
        let reader = aside(coroutine, move || {
            let mut text = String::new();
            File::open(reader).unwrap().read_to_string(&mut text).unwrap();
            text
        });
        writer();
        lines.push(reader());
        lines
    });
}

unsafe extern "C" {
    fn scandir(
        path: *const c_char,
        list: *mut *mut *mut libc::dirent,
        filter: *const c_void,
        order: *const c_void,
    ) -> c_int;
}

/// What can be told of a file in both runs alike.
fn description(name: &str, path: &CStr, follow: bool) -> Lines {
    // SAFETY: all-zero is a valid value of both; live places and C strings.
    unsafe {
        let mut old: libc::stat = std::mem::zeroed();
        let mut new: libc::statx = std::mem::zeroed();
        let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
        let (here, raw) = (libc::AT_FDCWD, path.as_ptr());
        let result = match follow {
            true => libc::stat(raw, &raw mut old),
            false => libc::lstat(raw, &raw mut old),
        };
        let by_stat = format!("{} {:o} {}", told(name, result as isize), old.st_mode, old.st_size);
        let result = libc::fstatat(here, raw, &raw mut old, flags);
        let by_fstatat =
            format!("{} {:o} {}", told(name, result as isize), old.st_mode, old.st_size);
        let result = libc::statx(here, raw, flags, libc::STATX_BASIC_STATS, &raw mut new);
        let (mode, size) = (new.stx_mode, new.stx_size);
        let by_statx = format!("{} {mode:o} {size}", told(name, result as isize));
        let may = told(name, libc::faccessat(here, raw, libc::R_OK | libc::X_OK, flags) as isize);
        let is = told(name, libc::access(raw, libc::F_OK) as isize);
        let mut target = [0_u8; 64];
        let len = libc::readlink(raw, target.as_mut_ptr().cast(), 64);
        let link = format!("{} {:?}", told(name, len), target);
        vec![by_stat, by_fstatat, by_statx, may, is, link]
    }
}

#[test]
fn asking_what_is_there() {
    twins(|coroutine| {
        let folder = Folder::new("asking", coroutine);
        fs::write(folder.at("file"), b"text").unwrap();
        fs::create_dir(folder.at("folder")).unwrap();
        symlink("file", folder.at("link")).unwrap();
        symlink("nowhere", folder.at("dangling")).unwrap();
        symlink("loop", folder.at("loop")).unwrap();
        let mut lines = Vec::new();
        for round in ["cold", "warm"] {
            lines.push(round.to_owned());
            for name in ["file", "link", "dangling", "loop", "no", "no/no", "file/x", "link/", "."]
            {
                for follow in [true, false] {
                    let seen = description(name, &folder.c(name), follow);
                    // The size of a folder is the file system's affair, and tells of the past.
                    let folders = name == ".";
                    lines.extend(seen.into_iter().filter(|_| !folders));
                }
            }
            lines.extend(description("/dev/null", c"/dev/null", true));
            lines.extend(description("", c"", true));
        }
        lines.push(format!("{:?}", std::env::current_exe().map(|path| path.is_absolute())));
        let file = File::open(folder.at("file")).unwrap();
        // SAFETY: all-zero is a valid value; a live place; the C library knows null paths.
        unsafe {
            let mut place: libc::stat = std::mem::zeroed();
            let (fd, place) = (file.as_raw_fd(), &raw mut place);
            let empty = libc::fstatat(fd, c"".as_ptr(), place, libc::AT_EMPTY_PATH);
            lines.push(told("a descriptor", empty as isize));
            lines.push(told("no path", libc::stat(null(), place) as isize));
            lines.push(told("no folder", libc::fstatat(99_999, c"x".as_ptr(), place, 0) as isize));
            let flags = libc::fstatat(fd, c"".as_ptr(), place, 0x4000_0000);
            lines.push(told("no such flag", flags as isize));
        }
        lines
    });
}

#[test]
fn files_that_the_kernel_makes_up() {
    twins(|_| {
        let mut lines = Vec::new();
        for path in
            ["/proc/self/status", "/proc/filesystems", "/sys/kernel/mm/transparent_hugepage"]
        {
            lines.push(format!("{path} {:?}", fs::metadata(path).map(|found| found.is_dir())));
        }
        lines.push(format!("{:?}", fs::read_to_string("/proc/filesystems")));
        lines.push(format!("{:?}", fs::read_to_string("/proc/sys/kernel/ostype")));
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        lines.push(format!("{}", maps.contains("[vdso]") && maps.ends_with('\n')));
        // SAFETY: a C string; the descriptor is the file's.
        let mut memory =
            unsafe { File::from(OwnedFd::from_raw_fd(libc::memfd_create(c"lisle".as_ptr(), 0))) };
        memory.write_all(&pattern(300_000)).unwrap();
        let fd = memory.as_raw_fd();
        lines.push(pread(fd, &pattern(300_000), 100_000, 5));
        lines.push(pread(fd, &pattern(300_000), 100_000, 250_000));
        lines.push(pread(fd, &pattern(300_000), 300_001, 0));
        lines
    });
}

#[test]
fn changing_names() {
    twins(|coroutine| {
        let folder = Folder::new("names", coroutine);
        let p = |name: &str| folder.c(name);
        let mut lines = Vec::new();
        let mut say = |name: &str, result: c_int| lines.push(told(name, result as isize));
        fs::write(folder.at("file"), b"text").unwrap();
        // SAFETY: C strings throughout.
        unsafe {
            say("mkdir", libc::mkdir(p("folder").as_ptr(), 0o700));
            say("mkdir again", libc::mkdir(p("folder").as_ptr(), 0o700));
            say("rename", libc::rename(p("file").as_ptr(), p("folder/new").as_ptr()));
            say("rename nothing", libc::rename(p("file").as_ptr(), p("x").as_ptr()));
            say("rename over", libc::rename(p("folder/new").as_ptr(), p("folder").as_ptr()));
            let here = libc::AT_FDCWD;
            let (from, to) = (p("folder/new"), p("renamed"));
            say("renameat2", libc::renameat2(here, from.as_ptr(), here, to.as_ptr(), 1));
            say("rmdir", libc::rmdir(p("folder").as_ptr()));
            say("rmdir again", libc::rmdir(p("folder").as_ptr()));
            say("link", libc::link(p("renamed").as_ptr(), p("second").as_ptr()));
            say("link again", libc::link(p("renamed").as_ptr(), p("second").as_ptr()));
            say("symlink", libc::symlink(c"second".as_ptr(), p("third").as_ptr()));
            say("unlink", libc::unlink(p("second").as_ptr()));
            say("unlink again", libc::unlink(p("second").as_ptr()));
            say("unlink a folder", libc::unlinkat(here, p(".").as_ptr(), 0));
            say("remove", libc::remove(p("third").as_ptr()));
            say("chmod", libc::chmod(p("renamed").as_ptr(), 0o604));
            say("chmod of nothing", libc::chmod(p("no").as_ptr(), 0o604));
            say("truncate", libc::truncate(p("renamed").as_ptr(), 2));
            say("truncate negatively", libc::truncate(p("renamed").as_ptr(), -2));
            let times = [libc::timespec { tv_sec: 5, tv_nsec: 6 }; 2];
            say("utimensat", libc::utimensat(here, p("renamed").as_ptr(), times.as_ptr(), 0));
            let exact = libc::realpath(p("./renamed").as_ptr(), null_mut());
            say("realpath", i32::from(!exact.is_null() && CStr::from_ptr(exact) == &*p("renamed")));
            libc::free(exact.cast());
            let nothing = libc::realpath(p("no").as_ptr(), null_mut());
            say("realpath of nothing", if nothing.is_null() { -1 } else { 0 });
            let template = p("temporary-XXXXXX").into_raw();
            let fd = libc::mkstemp(template);
            say("mkstemp", fd.min(0));
            libc::close(fd);
            say("unlink it", libc::unlink(template));
            drop(CString::from_raw(template));
        }
        let left: Vec<_> =
            fs::read_dir(&folder.0).unwrap().map(|e| e.unwrap().file_name()).collect();
        let found = fs::metadata(folder.at("renamed")).unwrap();
        lines.push(format!("{left:?} {} {:?}", found.len(), found.permissions()));
        lines.push(format!("{:?}", found.modified().unwrap()));
        lines
    });
}

#[test]
fn changing_contents() {
    twins(|coroutine| {
        let folder = Folder::new("contents", coroutine);
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(folder.at("file"))
            .unwrap();
        let other = File::create(folder.at("other")).unwrap();
        let (fd, to) = (file.as_raw_fd(), other.as_raw_fd());
        (&file).write_all(&pattern(10_000)).unwrap();
        let mut lines = Vec::new();
        let mut say = |name: &str, result: isize| lines.push(told(name, result));
        // SAFETY: descriptors of our own, live places.
        unsafe {
            say("fsync", libc::fsync(fd) as isize);
            say("fdatasync", libc::fdatasync(fd) as isize);
            say("fsync of nothing", libc::fsync(99_999) as isize);
            say("ftruncate", libc::ftruncate(fd, 9_000) as isize);
            say("ftruncate of nothing", libc::ftruncate(99_999, 9_000) as isize);
            say("posix_fallocate", libc::posix_fallocate(fd, 0, 12_000) as isize);
            say("posix_fallocate of nothing", libc::posix_fallocate(99_999, 0, 12) as isize);
            say("fchmod", libc::fchmod(fd, 0o600) as isize);
            let mut offset = 100;
            let copied = libc::copy_file_range(fd, &raw mut offset, to, null_mut(), 500, 0);
            say("copy_file_range", copied);
            say("its offset", offset as isize);
            let mut offset = 100;
            say("sendfile", libc::sendfile(to, fd, &raw mut offset, 700));
            let mut system: libc::statvfs = std::mem::zeroed();
            say("fstatvfs", libc::fstatvfs(fd, &raw mut system) as isize);
            say("its block", system.f_bsize as isize);
        }
        assert_eq!(fs::read(folder.at("other")).unwrap()[500..1200], pattern(800)[100..800]);
        lines.push(format!("{}", file.metadata().unwrap().len()));
        lines
    });
}

#[test]
fn listing_a_thousand_entries() {
    twins(|coroutine| {
        let folder = Folder::new("listing", coroutine);
        for number in 0..1000 {
            fs::write(folder.at(&format!("entry-{number:04}")), b"").unwrap();
        }
        let mut lines = Vec::new();
        for entry in fs::read_dir(&folder.0).unwrap() {
            let entry = entry.unwrap();
            lines.push(format!(
                "{:?} {:?}",
                entry.file_name(),
                entry.file_type().unwrap().is_file()
            ));
        }
        assert_eq!(lines.len(), 1000);
        lines.sort();
        lines.push(format!("{:?}", fs::read_dir(folder.at("no")).map(|_| ())));
        lines.push(format!("{:?}", fs::read_dir(folder.at("entry-0000")).map(|_| ())));
        // SAFETY: a C string, a live place; what it points to is the C library's, and is leaked.
        let count = unsafe {
            let mut list = null_mut();
            scandir(c_path(&folder.0).as_ptr(), &raw mut list, null(), null())
        };
        lines.push(told("scandir", count as isize));
        lines
    });
}

#[test]
fn errno_is_left_alone() {
    twins(|coroutine| {
        let folder = Folder::new("errno", coroutine);
        fs::write(folder.at("file"), b"text").unwrap();
        let (path, new) = (folder.c("file"), folder.c("new"));
        let mut lines = Vec::new();
        // SAFETY: C strings, live places; every thread has an `errno`.
        unsafe {
            let place = std::cell::UnsafeCell::new(std::mem::zeroed::<libc::stat>());
            let fd = open(&path, libc::O_RDWR);
            let calls: [&dyn Fn() -> isize; 5] = [
                &|| libc::pread(fd, [0_u8; 8].as_mut_ptr().cast(), 8, 0),
                &|| libc::pwrite(fd, [0_u8; 8].as_ptr().cast(), 8, 0),
                &|| libc::stat(path.as_ptr(), place.get()) as isize,
                &|| libc::mkdir(new.as_ptr(), 0o700) as isize,
                &|| libc::fsync(fd) as isize,
            ];
            for call in calls {
                *libc::__errno_location() = 77;
                let result = call();
                lines.push(format!("{result} {}", *libc::__errno_location()));
            }
            libc::close(fd);
        }
        lines
    });
}

#[test]
fn no_descriptor_is_left() {
    let ended = in_child(&[], || {
        // Whatever the runtime opens is opened before.
        lisle::spawn(|| lisle::blocking(|| ())).join().unwrap();
        twins_of_a_child(|coroutine| {
            let folder = Folder::new("none-left", coroutine);
            fs::write(folder.at("file"), b"text").unwrap();
            let path = folder.c("file");
            let free = open(&path, libc::O_RDONLY);
            // SAFETY: opened above.
            unsafe { libc::close(free) };
            limit(libc::RLIMIT_NOFILE, free as u64);
            let mut lines = vec![opening("open", &path, libc::O_RDONLY)];
            lines.extend(description("file", &path, true));
            limit(libc::RLIMIT_NOFILE, 1024);
            lines
        });
    });
    ended.expect_return();
}

#[test]
fn what_is_not_permitted() {
    let ended = in_child(&[], || {
        // The superuser may do anything.
        // SAFETY: plain calls; nobody's number, if we may take it.
        let _ = unsafe { libc::geteuid() == 0 && libc::setuid(65_534) == 0 };
        twins_of_a_child(|coroutine| {
            let folder = Folder::new("permitted", coroutine);
            fs::create_dir(folder.at("closed")).unwrap();
            fs::write(folder.at("closed/file"), b"text").unwrap();
            fs::write(folder.at("file"), b"text").unwrap();
            let closed = |mode| {
                for name in ["file", "closed"] {
                    let mode = fs::Permissions::from_mode(mode);
                    fs::set_permissions(folder.at(name), mode).unwrap();
                }
            };
            closed(0);
            let mut lines = Vec::new();
            for round in ["cold", "warm"] {
                lines.push(round.to_owned());
                for name in ["file", "closed", "closed/file", "closed/no"] {
                    for flags in [libc::O_RDONLY, libc::O_WRONLY | libc::O_CREAT, libc::O_PATH] {
                        lines.push(opening(name, &folder.c(name), flags));
                    }
                    let seen = description(name, &folder.c(name), true);
                    lines.extend(seen.into_iter().filter(|_| name != "closed"));
                }
                lines.push(format!("{:?}", fs::remove_file(folder.at("closed/file"))));
                lines.push(format!("{:?}", fs::rename(folder.at("file"), "/lisle-file")));
            }
            closed(0o700);
            lines
        });
    });
    ended.expect_return();
}
