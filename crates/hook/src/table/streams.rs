//! Hooks of C's streams.

use super::{Family, Row};

pub(super) const STREAMS: Family = Family {
    title: "Streams of C",
    rows: &[
        Row {
            symbols: "fputc fputc_unlocked putc putc_unlocked putchar putchar_unlocked putw fputs \
                      fputs_unlocked puts fwrite fwrite_unlocked __overflow _IO_putc _IO_puts \
                      _IO_fputs _IO_fwrite fputwc fputwc_unlocked putwc putwc_unlocked putwchar \
                      putwchar_unlocked fputws fputws_unlocked __woverflow",
            how: "with the stream's lock held, see \"Streams of C\"; if somebody else has it: a \
                  hop. In place: what fits the buffer; streams in memory and of `fopencookie`; \
                  regular files while that is quick; at most 4 KiB due to what `poll` calls ready; \
                  descriptors set not to block. All else: a hop",
            differs: "another writer may take a pipe's room between `poll` and the call, and a \
                      terminal may have less room than that: then the worker blocks. A cookie's \
                      functions may suspend with the lock held; others wait on spare carriers",
        },
        Row {
            symbols: "fgetc fgetc_unlocked getc getc_unlocked getchar getchar_unlocked getw fgets \
                      fgets_unlocked gets fread fread_unlocked getline getdelim ungetc __uflow \
                      __underflow __fgets_chk __fgets_unlocked_chk __gets_chk __fread_chk \
                      __fread_unlocked_chk __getdelim _IO_getc _IO_fgets _IO_gets _IO_fread \
                      _IO_ungetc",
            how: "with the stream's lock held; if somebody else has it: a hop. In place: what the \
                  buffer has; streams in memory and of `fopencookie`; regular files while that is \
                  quick; descriptors set not to block. All else: a hop, also reading from streams \
                  without a buffer or with one for lines, which first flushes standard output",
            differs: "a cookie's functions may suspend with the lock held; others wait on spare \
                      carriers",
        },
        Row {
            symbols: "fgetwc fgetwc_unlocked getwc getwc_unlocked getwchar getwchar_unlocked \
                      fgetws fgetws_unlocked ungetwc __wuflow __wunderflow __fgetws_chk \
                      __fgetws_unlocked_chk",
            how: "as `fgetc`, but their buffers are not public: other than from regular files, \
                  from memory and from descriptors set not to block, a hop, whatever the buffer \
                  has; `ungetwc`: in place",
            differs: "a cookie's functions may suspend with the lock held; others wait on spare \
                      carriers",
        },
        Row {
            symbols: "printf fprintf dprintf vprintf vfprintf vdprintf __printf_chk __fprintf_chk \
                      __dprintf_chk __vprintf_chk __vfprintf_chk __vdprintf_chk _IO_vfprintf",
            how: "as `fputc`. Where the stream is not a file's, the text is first made in memory, \
                  to know how much it is. `dprintf` and kin have no lock",
            differs: "as `fputc`. On pipes and the like formats are made twice, so handlers that \
                      the program has registered for `printf` run twice",
        },
        Row {
            symbols: "wprintf fwprintf vwprintf vfwprintf __wprintf_chk __fwprintf_chk \
                      __vwprintf_chk __vfwprintf_chk",
            how: "as `fputc`, but other than to regular files, memory and descriptors set not to \
                  block: a hop",
            differs: "a cookie's functions may suspend with the lock held; others wait on spare \
                      carriers",
        },
        Row {
            symbols: "scanf fscanf vscanf vfscanf __vfscanf __isoc99_scanf __isoc99_fscanf \
                      __isoc99_vscanf __isoc99_vfscanf __isoc23_scanf __isoc23_fscanf \
                      __isoc23_vscanf __isoc23_vfscanf wscanf fwscanf vwscanf vfwscanf \
                      __isoc99_wscanf __isoc99_fwscanf __isoc99_vwscanf __isoc99_vfwscanf \
                      __isoc23_wscanf __isoc23_fwscanf __isoc23_vwscanf __isoc23_vfwscanf",
            how: "as `fgetc`, but other than from regular files, memory and descriptors set not to \
                  block: a hop, whatever the buffer has",
            differs: "a cookie's functions may suspend with the lock held; others wait on spare \
                      carriers",
        },
        Row {
            symbols: "perror psignal psiginfo warn warnx vwarn vwarnx",
            how: "as `fputc` on standard error, with 1 KiB counted for what the C library adds",
            differs: "as `printf`",
        },
        Row {
            symbols: "fflush fflush_unlocked setvbuf setbuf setbuffer setlinebuf _IO_fflush \
                      _IO_setvbuf _IO_setbuffer",
            how: "as `fputc`, of what the buffer has; nothing there: in place. `fflush(NULL)`: a \
                  hop",
            differs: "as `fputc`",
        },
        Row {
            symbols: "_flushlbf _IO_flush_all _IO_flush_all_linebuffered fcloseall",
            how: "a hop",
            differs: "",
        },
        Row {
            symbols: "fseek fseeko fseeko64 fsetpos fsetpos64 rewind _IO_fsetpos _IO_fsetpos64",
            how: "as `fputc` if the buffer has something to write, else as `fgetc`; nothing to \
                  write, and not a file: in place",
            differs: "as `fputc`",
        },
        Row {
            symbols: "ftell ftello ftello64 fgetpos fgetpos64 feof ferror clearerr _IO_ftell \
                      _IO_fgetpos _IO_fgetpos64 _IO_feof _IO_ferror",
            how: "in place with the stream's lock held; if somebody else has it: a hop",
            differs: "",
        },
        Row {
            symbols: "flockfile _IO_flockfile",
            how: "tried, then a hop",
            differs: "a coroutine keeps the lock while it is suspended",
        },
        Row { symbols: "fopen fopen64 _IO_fopen", how: "a hop", differs: "" },
        Row {
            symbols: "freopen freopen64",
            how: "a hop; coroutines that wait for the old file get a duplicate",
            differs: "as `close`",
        },
        Row {
            symbols: "fclose _IO_fclose",
            how: "streams of files in place while that is quick, those in memory in place; pipes, \
                  sockets and the like: a hop. Coroutines that wait for the old file get a \
                  duplicate",
            differs: "as `close`. While another thread flushes all streams (`fflush(NULL)`), one \
                      of a file blocks its worker until that is done",
        },
        Row {
            symbols: "fdopen _IO_fdopen fmemopen fopencookie open_memstream open_wmemstream",
            how: "plain; a hop while somebody flushes all streams",
            differs: "",
        },
    ],
};
