//! Hooks of calls on files by path, and on directories.

use super::{Family, Row};

pub(super) const PATHS: Family = Family {
    title: "Paths",
    rows: &[
        Row {
            symbols: "open open64 openat openat64 __open __open64 __open_2 __open64_2 __openat_2 \
                      __openat64_2",
            how: "in place if the caches know the path and it is a regular file, a directory, or a \
                  device like `/dev/null`, or leads nowhere; else a hop, also with `O_CREAT`, \
                  `O_TRUNC`, `O_TMPFILE`",
            differs: "a file that is replaced by a FIFO, or is under a lease, just then: the \
                      worker waits for the other end or for the lease",
        },
        Row {
            symbols: "stat stat64 lstat lstat64 fstatat fstatat64 __xstat __xstat64 __lxstat \
                      __lxstat64 __fxstatat __fxstatat64 statx access faccessat euidaccess eaccess \
                      readlink readlinkat __readlink_chk __readlinkat_chk",
            how: "in place if the caches know the path, else a hop. With `AT_EMPTY_PATH`: plain. \
                  Names with `_chk`: after their check",
            differs: "",
        },
        Row {
            symbols: "chdir chroot inotify_add_watch ftok",
            how: "in place if the caches know the path, else a hop",
            differs: "",
        },
        Row {
            symbols: "creat creat64 tmpfile tmpfile64 mkstemp mkstemp64 mkostemp mkostemp64 \
                      mkstemps mkstemps64 mkostemps mkostemps64 mkdtemp mktemp tempnam tmpnam \
                      tmpnam_r open_by_handle_at",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "rename renameat renameat2 unlink unlinkat remove mkdir mkdirat rmdir mkfifo \
                      mkfifoat mknod mknodat __xmknod __xmknodat link linkat symlink symlinkat \
                      realpath __realpath_chk canonicalize_file_name",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "fchdir get_current_dir_name pathconf fpathconf name_to_handle_at \
                      fanotify_mark ttyname ttyname_r __ttyname_r_chk ttyslot",
            how: "a hop",
            differs: "",
        },
    ],
};

pub(super) const FOLDERS: Family = Family {
    title: "Directories",
    rows: &[
        Row {
            symbols: "readdir readdir64 readdir_r readdir64_r getdirentries getdirentries64 \
                      getdents64",
            how: "in place while that is quick, else a hop",
            differs: "",
        },
        Row {
            symbols: "opendir scandir scandir64 scandirat scandirat64",
            how: "a hop",
            differs: "functions given to `scandir` run on the spare carrier",
        },
        Row {
            symbols: "ftw ftw64 nftw nftw64 fts_open fts_read fts_children fts_close fts64_open \
                      fts64_read fts64_children fts64_close glob glob64 wordexp",
            how: "a hop",
            differs: "functions given to them run on the spare carrier",
        },
    ],
};

pub(super) const CONTENTS: Family = Family {
    title: "Files",
    rows: &[
        Row {
            symbols: "lseek lseek64 llseek __lseek",
            how: "`SEEK_SET` and `SEEK_CUR`: plain, a matter of the kernel's memory. Others: in \
                  place while that is quick, else a hop",
            differs: "",
        },
        Row {
            symbols: "truncate truncate64 ftruncate ftruncate64 fallocate fallocate64 \
                      posix_fallocate posix_fallocate64 fsync fdatasync syncfs sync \
                      sync_file_range copy_file_range readahead",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "posix_fadvise posix_fadvise64",
            how: "`POSIX_FADV_WILLNEED`, `POSIX_FADV_DONTNEED`: a hop. Others: plain",
            differs: "",
        },
        Row {
            symbols: "msync mlock mlock2 mlockall",
            how: "a hop. Plain: `msync` without `MS_SYNC`, `mlockall` without `MCL_CURRENT`",
            differs: "",
        },
        Row {
            symbols: "chmod fchmod fchmodat lchmod chown lchown fchown fchownat utime utimes \
                      lutimes futimes futimesat futimens utimensat",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr \
                      lsetxattr fsetxattr removexattr lremovexattr fremovexattr",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "statfs statfs64 fstatfs fstatfs64 statvfs statvfs64 fstatvfs fstatvfs64 \
                      __statfs",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "mount umount umount2 mount_setattr move_mount open_tree fsopen fsconfig \
                      fsmount fspick pivot_root swapon swapoff quotactl acct init_module \
                      delete_module",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "klogctl",
            how: "command 2, which waits for a line: a hop. Others: plain",
            differs: "",
        },
    ],
};
