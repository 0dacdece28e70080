//! Not hooked: stdio of C.

use crate::table::Unhooked;

pub(super) const STREAMS: &[Unhooked] = &[
    Unhooked {
        what: "stdio: reading",
        symbols: "fread fread_unlocked getc getc_unlocked fgetc fgetc_unlocked getchar \
                  getchar_unlocked getw fgets fgets_unlocked gets getline getdelim __getdelim \
                  getwc getwc_unlocked fgetwc fgetwc_unlocked getwchar getwchar_unlocked fgetws \
                  fgetws_unlocked __fread_chk __fread_unlocked_chk __fgets_chk \
                  __fgets_unlocked_chk __gets_chk __fgetws_chk __fgetws_unlocked_chk scanf fscanf \
                  vscanf vfscanf wscanf fwscanf vwscanf vfwscanf __isoc99_scanf __isoc99_fscanf \
                  __isoc99_vscanf __isoc99_vfscanf __isoc99_wscanf __isoc99_fwscanf \
                  __isoc99_vwscanf __isoc99_vfwscanf __isoc23_scanf __isoc23_fscanf \
                  __isoc23_vscanf __isoc23_vfscanf __isoc23_wscanf __isoc23_fwscanf \
                  __isoc23_vwscanf __isoc23_vfwscanf __vfscanf",
        why: "reads, writes or flushes inside of the C library, past the hooks; and waits for the \
              stream's lock, which a suspended coroutine may hold",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "stdio: writing",
        symbols: "fwrite fwrite_unlocked putc putc_unlocked fputc fputc_unlocked putchar \
                  putchar_unlocked putw puts fputs fputs_unlocked putwc putwc_unlocked fputwc \
                  fputwc_unlocked putwchar putwchar_unlocked fputws fputws_unlocked printf fprintf \
                  dprintf vprintf vfprintf vdprintf wprintf fwprintf vwprintf vfwprintf \
                  __printf_chk __fprintf_chk __dprintf_chk __vprintf_chk __vfprintf_chk \
                  __vdprintf_chk __wprintf_chk __fwprintf_chk __vwprintf_chk __vfwprintf_chk \
                  __printf_fp printf_size",
        why: "reads, writes or flushes inside of the C library, past the hooks; and waits for the \
              stream's lock, which a suspended coroutine may hold",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "stdio: messages on standard error",
        symbols: "perror psignal psiginfo herror warn warnx vwarn vwarnx err errx verr verrx error \
                  error_at_line argp_error argp_failure argp_help argp_parse argp_state_help \
                  argp_usage getopt getopt_long getopt_long_only __posix_getopt \
                  backtrace_symbols_fd __backtrace_symbols_fd clnt_pcreateerror clnt_perrno \
                  clnt_perror malloc_stats malloc_info mtrace",
        why: "reads, writes or flushes inside of the C library, past the hooks; and waits for the \
              stream's lock, which a suspended coroutine may hold",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "stdio: positions, buffers, state",
        symbols: "fflush fflush_unlocked _flushlbf __fpurge fseek fseeko fseeko64 ftell ftello \
                  ftello64 rewind fgetpos fgetpos64 fsetpos fsetpos64 ungetc ungetwc fwide setvbuf \
                  setbuf setbuffer setlinebuf feof ferror clearerr fileno flockfile __fbufsize",
        why: "reads, writes or flushes inside of the C library, past the hooks; and waits for the \
              stream's lock, which a suspended coroutine may hold",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "stdio: opening and closing",
        symbols: "freopen freopen64 fdopen fcloseall exit quick_exit __libc_freeres",
        why: "reads, writes or flushes inside of the C library, past the hooks; and waits for the \
              stream's lock, which a suspended coroutine may hold. `exit` flushes all streams",
        remedy: "`lisle::blocking`",
    },
    Unhooked {
        what: "stdio: inner functions",
        symbols: "_IO_do_write _IO_wdo_write _IO_fclose _IO_fdopen _IO_feof _IO_ferror _IO_fflush \
                  _IO_fgetpos _IO_fgetpos64 _IO_fgets _IO_file_attach _IO_file_close \
                  _IO_file_close_it _IO_file_doallocate _IO_file_finish _IO_file_fopen \
                  _IO_file_init _IO_file_open _IO_file_overflow _IO_file_read _IO_file_seek \
                  _IO_file_seekoff _IO_file_setbuf _IO_file_stat _IO_file_sync _IO_file_underflow \
                  _IO_file_write _IO_file_xsputn _IO_flockfile _IO_flush_all \
                  _IO_flush_all_linebuffered _IO_fopen _IO_fprintf _IO_fputs _IO_fread _IO_fsetpos \
                  _IO_fsetpos64 _IO_ftell _IO_fwrite _IO_getc _IO_getline _IO_getline_info \
                  _IO_gets _IO_list_lock _IO_padn _IO_peekc_locked _IO_printf _IO_putc _IO_puts \
                  _IO_seekmark _IO_seekoff _IO_seekpos _IO_seekwmark _IO_setbuffer _IO_setvbuf \
                  _IO_sgetn _IO_switch_to_get_mode _IO_switch_to_wget_mode _IO_default_uflow \
                  _IO_default_xsgetn _IO_default_xsputn _IO_default_finish _IO_default_pbackfail \
                  _IO_wdefault_uflow _IO_wdefault_xsgetn _IO_wdefault_xsputn _IO_wdefault_finish \
                  _IO_wdefault_pbackfail _IO_ungetc _IO_sputbackc _IO_sputbackwc _IO_sungetc \
                  _IO_sungetwc _IO_vfprintf _IO_vfscanf _IO_wfile_overflow _IO_wfile_seekoff \
                  _IO_wfile_sync _IO_wfile_underflow _IO_wfile_xsputn __overflow __uflow \
                  __underflow __woverflow __wuflow __wunderflow",
        why: "reads, writes or flushes inside of the C library, past the hooks; and waits for the \
              stream's lock, which a suspended coroutine may hold. Macros of old headers and old \
              C++ libraries call these",
        remedy: "as for the calls they are part of",
    },
    Unhooked {
        what: "stdio: tables of users, mounts and terminals in a stream",
        symbols: "fgetpwent fgetpwent_r putpwent fgetgrent fgetgrent_r putgrent fgetspent \
                  fgetspent_r putspent fgetsgent fgetsgent_r putsgent getmntent getmntent_r \
                  __getmntent_r addmntent setmntent __setmntent endmntent __endmntent getfsent \
                  getfsfile getfsspec setfsent endfsent getttyent getttynam setttyent endttyent \
                  getusershell setusershell endusershell getpass ruserpass lckpwdf ulckpwdf",
        why: "reads, writes or flushes inside of the C library, past the hooks; and waits for the \
              stream's lock, which a suspended coroutine may hold",
        remedy: "`lisle::blocking`",
    },
];
