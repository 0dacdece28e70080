//! `syscall` by number: calls that may wait.
//!
//! Where the C library's function does no more than the bare call, and tells its outcome in the
//! same way, the number goes to that function's hook. Numbers of calls that always hop do so as
//! they are. What is left out cannot wait, or must be made by the calling OS thread:
//! `io_uring_enter`, since a ring may belong to one thread.

use std::ffi::{c_int, c_long};
use std::hint::black_box;
use std::mem::transmute;

use lisle_sys::Errno;

use super::threads;
use crate::facts;
use crate::real::{outcome, real};

/// The arguments of a call.
type Arguments = [usize; 6];

/// The bare call.
pub(super) fn plain(number: c_long, [a, b, c, d, e, f]: Arguments) -> c_long {
    real!(
        syscall(number, a, b, c, d, e, f):
            fn(c_long, usize, usize, usize, usize, usize, usize) -> c_long
    )
}

/// Makes a call that is neither a futex's nor about threads.
pub(super) fn call(number: c_long, arguments: Arguments) -> c_long {
    transfers(number, arguments)
        .or_else(|| threads::call(number, arguments))
        .or_else(|| waits(number, arguments))
        .or_else(|| descriptors(number, arguments))
        .or_else(|| paths(number, arguments))
        .or_else(|| hops(number).then(|| lisle_rt::blocking(|| plain(number, arguments))))
        .unwrap_or_else(|| plain(number, arguments))
}

/// The type of any argument.
macro_rules! word {
    ($argument:expr) => {
        usize
    };
}

/// Calls a hook. Integers and pointers are passed in the same registers, so all are words here.
macro_rules! hook {
    ($name:ident($($argument:expr),*) -> $result:ty) => {{
        #[allow(clashing_extern_declarations, reason = "only its address is used")]
        unsafe extern "C-unwind" {
            #[link_name = stringify!($name)]
            fn target();
        }
        // The compiler is not to see which function it is: to it the types would disagree.
        let address = black_box(target as *const ());
        // SAFETY: words hold what the hook takes from registers; the arguments are those of the
        // bare call, for which the caller vouched.
        unsafe {
            let hook: unsafe extern "C-unwind" fn($(word!($argument)),*) -> $result =
                transmute(address);
            hook($($argument),*) as c_long
        }
    }};
}

/// Bytes and messages.
fn transfers(number: c_long, [a, b, c, d, e, f]: Arguments) -> Option<c_long> {
    Some(match number {
        libc::SYS_read => hook!(read(a, b, c) -> isize),
        libc::SYS_write => hook!(write(a, b, c) -> isize),
        libc::SYS_readv => hook!(readv(a, b, c) -> isize),
        libc::SYS_writev => hook!(writev(a, b, c) -> isize),
        libc::SYS_pread64 => hook!(pread64(a, b, c, d) -> isize),
        libc::SYS_pwrite64 => hook!(pwrite64(a, b, c, d) -> isize),
        // The upper half of the offset is not looked at where words have 64 bits.
        libc::SYS_preadv => hook!(preadv64(a, b, c, d) -> isize),
        libc::SYS_pwritev => hook!(pwritev64(a, b, c, d) -> isize),
        libc::SYS_preadv2 => hook!(preadv64v2(a, b, c, d, f) -> isize),
        libc::SYS_pwritev2 => hook!(pwritev64v2(a, b, c, d, f) -> isize),
        libc::SYS_recvfrom => hook!(recvfrom(a, b, c, d, e, f) -> isize),
        libc::SYS_recvmsg => hook!(recvmsg(a, b, c) -> isize),
        libc::SYS_recvmmsg => hook!(recvmmsg(a, b, c, d, e) -> c_int),
        libc::SYS_sendto => hook!(sendto(a, b, c, d, e, f) -> isize),
        libc::SYS_sendmsg => hook!(sendmsg(a, b, c) -> isize),
        libc::SYS_sendmmsg => hook!(sendmmsg(a, b, c, d) -> c_int),
        libc::SYS_accept => hook!(accept(a, b, c) -> c_int),
        libc::SYS_accept4 => hook!(accept4(a, b, c, d) -> c_int),
        libc::SYS_connect => hook!(connect(a, b, c) -> c_int),
        libc::SYS_splice => hook!(splice(a, b, c, d, e, f) -> isize),
        libc::SYS_tee => hook!(tee(a, b, c, d) -> isize),
        libc::SYS_vmsplice => hook!(vmsplice(a, b, c, d) -> isize),
        libc::SYS_sendfile => hook!(sendfile64(a, b, c, d) -> isize),
        libc::SYS_getdents64 => hook!(getdents64(a, b, c) -> isize),
        libc::SYS_semop => hook!(semop(a, b, c) -> c_int),
        libc::SYS_semtimedop => hook!(semtimedop(a, b, c, d) -> c_int),
        libc::SYS_msgsnd => hook!(msgsnd(a, b, c, d) -> c_int),
        libc::SYS_msgrcv => hook!(msgrcv(a, b, c, d, e) -> isize),
        libc::SYS_mq_timedsend => hook!(mq_timedsend(a, b, c, d, e) -> c_int),
        libc::SYS_mq_timedreceive => hook!(mq_timedreceive(a, b, c, d, e) -> isize),
        _ => return None,
    })
}

/// Readiness, time and children.
fn waits(number: c_long, arguments: Arguments) -> Option<c_long> {
    let [a, b, c, d, e, f] = arguments;
    let elsewhere = || lisle_rt::blocking(|| plain(number, arguments));
    Some(match number {
        libc::SYS_poll => hook!(poll(a, b, c) -> c_int),
        // The bare calls tell in the timeout how much is left; their masks have a length.
        libc::SYS_ppoll if c == 0 && d == 0 => hook!(ppoll(a, b, c, d) -> c_int),
        libc::SYS_pselect6 if e == 0 && f == 0 => hook!(pselect(a, b, c, d, e, f) -> c_int),
        libc::SYS_ppoll | libc::SYS_pselect6 => elsewhere(),
        libc::SYS_select => hook!(select(a, b, c, d, e) -> c_int),
        libc::SYS_epoll_wait => hook!(epoll_wait(a, b, c, d) -> c_int),
        libc::SYS_epoll_pwait if e == 0 => hook!(epoll_wait(a, b, c, d) -> c_int),
        libc::SYS_epoll_pwait2 if e == 0 => hook!(epoll_pwait2(a, b, c, d, e) -> c_int),
        libc::SYS_epoll_pwait | libc::SYS_epoll_pwait2 => elsewhere(),
        libc::SYS_nanosleep => hook!(nanosleep(a, b) -> c_int),
        libc::SYS_clock_nanosleep => by_errno(hook!(clock_nanosleep(a, b, c, d) -> c_int)),
        libc::SYS_wait4 => hook!(wait4(a, b, c, d) -> c_int),
        libc::SYS_execve | libc::SYS_execveat => {
            lisle_rt::without_ticks(|| plain(number, arguments))
        }
        libc::SYS_waitid if e == 0 => hook!(waitid(a, b, c, d) -> c_int),
        libc::SYS_waitid if d & libc::WNOHANG as usize == 0 => elsewhere(),
        _ => return None,
    })
}

/// Commands of `fcntl` that wait, or change what is known of descriptors.
const FCNTLS: [c_int; 5] =
    [libc::F_SETLKW, libc::F_OFD_SETLKW, libc::F_SETFL, libc::F_DUPFD, libc::F_DUPFD_CLOEXEC];

/// What changes descriptors, or waits for what they are about.
fn descriptors(number: c_long, arguments: Arguments) -> Option<c_long> {
    let [a, b, c, d, e, _] = arguments;
    Some(match number {
        libc::SYS_close => hook!(close(a) -> c_int),
        libc::SYS_close_range => hook!(close_range(a, b, c) -> c_int),
        libc::SYS_dup => hook!(dup(a) -> c_int),
        libc::SYS_dup2 => hook!(dup2(a, b) -> c_int),
        libc::SYS_dup3 => hook!(dup3(a, b, c) -> c_int),
        libc::SYS_socket => hook!(socket(a, b, c) -> c_int),
        libc::SYS_setsockopt => hook!(setsockopt(a, b, c, d, e) -> c_int),
        // The function translates some of the other commands.
        libc::SYS_fcntl if FCNTLS.contains(&(b as c_int)) => hook!(fcntl(a, b, c) -> c_int),
        libc::SYS_ioctl => hook!(ioctl(a, b, c) -> c_int),
        libc::SYS_flock => hook!(flock(a, b) -> c_int),
        libc::SYS_lseek => hook!(lseek64(a, b, c) -> i64),
        libc::SYS_fadvise64 => by_errno(hook!(posix_fadvise64(a, b, c, d) -> c_int)),
        libc::SYS_msync => hook!(msync(a, b, c) -> c_int),
        _ => return None,
    })
}

/// What follows a path and changes nothing, and opening.
fn paths(number: c_long, arguments: Arguments) -> Option<c_long> {
    let [a, b, c, d, e, _] = arguments;
    Some(match number {
        libc::SYS_open => hook!(open64(a, b, c) -> c_int),
        libc::SYS_openat => hook!(openat64(a, b, c, d) -> c_int),
        libc::SYS_creat => hook!(creat64(a, b) -> c_int),
        libc::SYS_openat2 => {
            let fd = lisle_rt::blocking(|| plain(number, arguments));
            facts::forget(fd as c_int);
            fd
        }
        libc::SYS_stat => hook!(stat64(a, b) -> c_int),
        libc::SYS_lstat => hook!(lstat64(a, b) -> c_int),
        libc::SYS_newfstatat => hook!(fstatat64(a, b, c, d) -> c_int),
        libc::SYS_statx => hook!(statx(a, b, c, d, e) -> c_int),
        libc::SYS_access => hook!(access(a, b) -> c_int),
        libc::SYS_readlink => hook!(readlink(a, b, c) -> isize),
        libc::SYS_readlinkat => hook!(readlinkat(a, b, c, d) -> isize),
        libc::SYS_chdir => hook!(chdir(a) -> c_int),
        libc::SYS_inotify_add_watch => hook!(inotify_add_watch(a, b, c) -> c_int),
        _ => return None,
    })
}

/// The outcome of a function that returns the error, as the bare call tells it.
fn by_errno(error: c_long) -> c_long {
    if error == 0 { 0 } else { outcome(Err(Errno(error as c_int))) as c_long }
}

/// Calls that always hop.
fn hops(number: c_long) -> bool {
    #[rustfmt::skip]
    const ALL: &[c_long] = &[
        // Names.
        libc::SYS_rename, libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_link,
        libc::SYS_linkat, libc::SYS_symlink, libc::SYS_symlinkat, libc::SYS_unlink,
        libc::SYS_unlinkat, libc::SYS_mkdir, libc::SYS_mkdirat, libc::SYS_mknod,
        libc::SYS_mknodat, libc::SYS_rmdir,
        // Contents.
        libc::SYS_truncate, libc::SYS_ftruncate, libc::SYS_fallocate, libc::SYS_fsync,
        libc::SYS_fdatasync, libc::SYS_syncfs, libc::SYS_sync, libc::SYS_sync_file_range,
        libc::SYS_copy_file_range, libc::SYS_readahead, libc::SYS_mlock, libc::SYS_mlock2,
        // Owners, permissions, times, attributes.
        libc::SYS_chmod, libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_chown,
        libc::SYS_lchown, libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_utime,
        libc::SYS_utimes, libc::SYS_futimesat, libc::SYS_utimensat, libc::SYS_statfs,
        libc::SYS_fstatfs, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_getxattr,
        libc::SYS_lgetxattr, libc::SYS_fgetxattr, libc::SYS_listxattr, libc::SYS_llistxattr,
        libc::SYS_flistxattr, libc::SYS_setxattr, libc::SYS_lsetxattr, libc::SYS_fsetxattr,
        libc::SYS_removexattr, libc::SYS_lremovexattr, libc::SYS_fremovexattr,
        // Mounts and folders.
        libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_swapon,
        libc::SYS_swapoff, libc::SYS_fchdir, libc::SYS_getdents, libc::SYS_name_to_handle_at,
        libc::SYS_open_by_handle_at, libc::SYS_fsconfig, libc::SYS_fsmount,
        libc::SYS_move_mount, libc::SYS_open_tree, libc::SYS_quotactl,
        // Several futexes at once: who wakes them looks in the kernel as well.
        libc::SYS_futex_waitv,
    ];
    ALL.contains(&number)
}
