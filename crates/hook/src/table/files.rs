//! Hooks of calls on files by path, and on directories.

use super::{Family, Row};

pub(super) const PATHS: Family = Family {
    title: "Paths",
    rows: &[
        Row {
            symbols: "open open64 openat openat64 __open_2 __open64_2 __openat_2 __openat64_2",
            how: "in place if the caches know the path and it is a regular file, a directory, or a \
                  device like `/dev/null`, or leads nowhere; else a hop, also with `O_CREAT`, \
                  `O_TRUNC`, `O_TMPFILE`",
            differs: "a file that is replaced by a FIFO, or is under a lease, just then: the \
                      worker waits for the other end or for the lease",
        },
        Row {
            symbols: "stat stat64 lstat lstat64 fstatat fstatat64 __xstat __xstat64 __lxstat \
                      __lxstat64 __fxstatat __fxstatat64 statx access faccessat euidaccess eaccess \
                      readlink readlinkat",
            how: "in place if the caches know the path, else a hop. With `AT_EMPTY_PATH`: plain",
            differs: "",
        },
        Row {
            symbols: "creat creat64 fopen fopen64 tmpfile tmpfile64 mkstemp mkstemp64 mkostemp \
                      mkostemp64 mkstemps mkstemps64 mkostemps mkostemps64 mkdtemp \
                      open_by_handle_at",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "rename renameat renameat2 unlink unlinkat remove mkdir mkdirat rmdir mkfifo \
                      mkfifoat mknod mknodat link linkat symlink symlinkat realpath __realpath_chk \
                      canonicalize_file_name",
            how: "a hop",
            differs: "",
        },
    ],
};

pub(super) const FOLDERS: Family = Family {
    title: "Directories",
    rows: &[
        Row {
            symbols: "readdir readdir64 readdir_r readdir64_r getdents64",
            how: "in place while that is quick, else a hop",
            differs: "",
        },
        Row {
            symbols: "opendir scandir scandir64 scandirat scandirat64",
            how: "a hop",
            differs: "functions given to `scandir` run on the spare carrier",
        },
    ],
};

pub(super) const CONTENTS: Family = Family {
    title: "Files",
    rows: &[
        Row {
            symbols: "truncate truncate64 ftruncate ftruncate64 fallocate fallocate64 \
                      posix_fallocate posix_fallocate64 fsync fdatasync syncfs sync \
                      sync_file_range copy_file_range",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "chmod fchmod fchmodat chown lchown fchown fchownat utime utimes lutimes \
                      futimes futimens utimensat",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "statfs statfs64 fstatfs fstatfs64 statvfs statvfs64 fstatvfs fstatvfs64",
            how: "a hop",
            differs: "",
        },
    ],
};
