//! Not hooked: other calls on files.

use crate::table::Unhooked;

pub(super) const FILES: &[Unhooked] = &[
    Unhooked {
        what: "walking directories",
        symbols: "ftw ftw64 nftw nftw64 fts_open fts_read fts_children fts_close fts64_open \
                  fts64_read fts64_children fts64_close glob glob64 __getcwd_chk getcwd getwd \
                  __getwd_chk get_current_dir_name",
        why: "reads directories inside of the C library",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "paths that are looked up",
        symbols: "openat2 chdir fchdir chroot lchmod mktemp tempnam tmpnam tmpnam_r ftok \
                  name_to_handle_at inotify_add_watch fanotify_mark pathconf fpathconf ttyname \
                  ttyname_r __ttyname_r_chk ttyslot shm_open shm_unlink sem_open sem_unlink \
                  mq_unlink utmpname utmpxname revoke chflags fchflags ustat catopen fattach \
                  fdetach bind",
        why: "looks up a path inside of the kernel",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "extended attributes",
        symbols: "getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr \
                  flistxattr removexattr lremovexattr fremovexattr",
        why: "reads and writes the disk",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "positions and advice",
        symbols: "fstat fstat64 rewinddir seekdir telldir lseek lseek64 __lseek llseek \
                  posix_fadvise posix_fadvise64 readahead",
        why: "waits for the lock of the file or of the directory stream, asks the server of a \
              network file system, or starts to read",
        remedy: "`lisle::blocking` where it matters",
    },
    Unhooked {
        what: "memory that is a file",
        symbols: "msync mmap mmap64 madvise posix_madvise process_madvise mlock mlock2 mlockall \
                  remap_file_pages",
        why: "reads or writes the file behind the pages; so does the first touch of a page",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "mounting and the like",
        symbols: "mount umount umount2 swapon swapoff pivot_root acct quotactl fsopen fsconfig \
                  fsmount fspick move_mount open_tree mount_setattr reboot setns unshare \
                  init_module delete_module create_module query_module",
        why: "waits for devices and file systems, or for the whole kernel",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "records of logins",
        symbols: "getutent getutent_r getutid getutid_r getutline getutline_r getutxent getutxid \
                  getutxline setutent setutxent endutent endutxent pututline pututxline updwtmp \
                  updwtmpx login logout logwtmp getlogin getlogin_r __getlogin_r_chk cuserid",
        why: "reads and locks a file inside of the C library",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "the system's log",
        symbols: "syslog vsyslog __syslog_chk __vsyslog_chk openlog closelog fmtmsg",
        why: "writes to a socket inside of the C library, and holds its lock meanwhile",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "profiles",
        symbols: "monstartup __monstartup moncontrol _mcleanup mcount _mcount __fentry__ profil \
                  sprofil",
        why: "writes a file at the end of the process",
        remedy: "none is needed",
    },
];
