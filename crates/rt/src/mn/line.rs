//! Text for standard error, written by the runtime itself: neither the program's allocator nor the
//! lock of std's standard error can be waited for where it is made.

use lisle_sys::fd;

/// Text of bounded length, put together without allocating.
pub(crate) struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Default for Line {
    fn default() -> Self {
        Line { bytes: [0; 512], len: 0 }
    }
}

impl Line {
    pub(crate) fn add(&mut self, text: &str) -> &mut Self {
        // A long name is cut so that the rest has room.
        let text = &text.as_bytes()[..text.len().min(200)];
        let room = &mut self.bytes[self.len..];
        let len = text.len().min(room.len());
        room[..len].copy_from_slice(&text[..len]);
        self.len += len;
        self
    }

    pub(crate) fn number(&mut self, mut number: u64) -> &mut Self {
        let mut digits = [0_u8; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.add(std::str::from_utf8(&digits[start..]).unwrap_or("?"))
    }

    pub(crate) fn hexadecimal(&mut self, number: usize) -> &mut Self {
        let mut digits = [0_u8; 16];
        let len = (number.max(1).ilog2() / 4 + 1) as usize;
        for (place, digit) in digits[..len].iter_mut().rev().enumerate() {
            *digit = b"0123456789abcdef"[number >> (4 * place) & 15];
        }
        self.add(std::str::from_utf8(&digits[..len]).unwrap_or("?"))
    }

    /// Writes it to standard error.
    pub(crate) fn write(&self) {
        let args = [2, self.bytes.as_ptr() as usize, self.len, 0, 0, 0];
        // SAFETY: a live buffer of that length. If standard error is closed, so be it.
        let _ = unsafe { lisle_sys::syscall(libc::SYS_write, args) };
    }

    /// Writes it to standard error, unless nobody reads there and it would have to wait.
    pub(crate) fn write_if_room(&self) {
        // A pipe that is ready has room for as much as this.
        if fd::ready_now(2, libc::POLLOUT) & libc::POLLOUT != 0 {
            self.write();
        }
    }
}
