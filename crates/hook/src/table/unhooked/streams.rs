//! Not hooked: stdio of C.

use crate::table::Unhooked;

pub(super) const STREAMS: &[Unhooked] = &[
    Unhooked {
        what: "stdio: messages on standard error",
        symbols: "herror err errx verr verrx error error_at_line argp_error argp_failure argp_help \
                  argp_parse argp_state_help argp_usage getopt getopt_long getopt_long_only \
                  __posix_getopt backtrace_symbols_fd __backtrace_symbols_fd clnt_pcreateerror \
                  clnt_perrno clnt_perror malloc_stats malloc_info mtrace",
        why: "writes inside of the C library. Most end the process, or are called where it begins \
              or crashes; `error` has no form that takes a list of arguments",
        remedy: "`warn`, or `lisle::blocking`",
    },
    Unhooked {
        what: "stdio: the end of the program",
        symbols: "exit quick_exit __libc_freeres",
        why: "flushes all streams and runs what was registered, on the way to the end",
        remedy: "`fflush` first where it matters",
    },
    Unhooked {
        what: "stdio: inner functions",
        symbols: "__printf_fp printf_size _IO_proc_open _IO_proc_close _IO_do_write _IO_wdo_write \
                  _IO_file_attach _IO_file_close _IO_file_close_it _IO_file_doallocate \
                  _IO_file_finish _IO_file_fopen _IO_file_init _IO_file_open _IO_file_overflow \
                  _IO_file_read _IO_file_seek _IO_file_seekoff _IO_file_setbuf _IO_file_stat \
                  _IO_file_sync _IO_file_underflow _IO_file_write _IO_file_xsputn _IO_fprintf \
                  _IO_getline _IO_getline_info _IO_list_lock _IO_padn _IO_peekc_locked _IO_printf \
                  _IO_seekmark _IO_seekoff _IO_seekpos _IO_seekwmark _IO_sgetn \
                  _IO_switch_to_get_mode _IO_switch_to_wget_mode _IO_default_uflow \
                  _IO_default_xsgetn _IO_default_xsputn _IO_default_finish _IO_default_pbackfail \
                  _IO_wdefault_uflow _IO_wdefault_xsgetn _IO_wdefault_xsputn _IO_wdefault_finish \
                  _IO_wdefault_pbackfail _IO_sputbackc _IO_sputbackwc _IO_sungetc _IO_sungetwc \
                  _IO_vfscanf _IO_wfile_overflow _IO_wfile_seekoff _IO_wfile_sync \
                  _IO_wfile_underflow _IO_wfile_xsputn",
        why: "reads, writes or flushes inside of the C library, past the hooks; and waits for the \
              stream's lock, which a suspended coroutine may hold. Old C++ libraries, and what \
              handles formats of the program's own, call these",
        remedy: "as for the calls they are part of",
    },
    Unhooked {
        what: "tables in files",
        symbols: "endfsent endttyent endusershell ulckpwdf ruserpass",
        why: "closes a file; `ruserpass` reads one",
        remedy: "none is needed as a rule",
    },
];
