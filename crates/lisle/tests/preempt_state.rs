//! What a coroutine has in the processor's registers is there again after it was preempted, bit
//! for bit: general registers, flags, vectors, masks, the x87 stack, control words, and the memory
//! below the stack pointer that functions without calls may use.

mod util;

use std::arch::{is_x86_feature_detected, naked_asm};
use std::time::{Duration, Instant};

use util::{Random, in_child};

/// What is loaded, and what was found afterwards.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct State {
    zmm: [[u64; 8]; 32],
    masks: [u64; 8],
    /// rax, rbx, rdx, rsi, rdi, rbp, r8 to r15.
    general: [u64; 14],
    flags: u64,
    /// At both ends of the red zone.
    red: [u64; 2],
    x87: [[u16; 8]; 8],
    control: u32,
    x87_control: u32,
}

/// The flags that arithmetic sets, the direction flag, and those that are always set.
const FLAGS: u64 = 0xcd5 | 0x202;

/// Loads what is common to both, waits, and stores it. `$load` and `$store` are for the vectors,
/// from rdi and to rcx.
macro_rules! hold {
    ($name:ident, [$($load:literal),*], [$($store:literal),*]) => {
        /// Loads all registers from the first, counts, and stores them to the second.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(state: *const State, found: *mut State, count: u64) {
            naked_asm!(
                ".cfi_startproc",
                "push rbx; push rbp; push r12; push r13; push r14; push r15",
                "push rsi",
                "push rdx",
                $($load,)*
                "fld tbyte ptr [rdi + 2360]; fld tbyte ptr [rdi + 2344]",
                "fld tbyte ptr [rdi + 2328]; fld tbyte ptr [rdi + 2312]",
                "fld tbyte ptr [rdi + 2296]; fld tbyte ptr [rdi + 2280]",
                "fld tbyte ptr [rdi + 2264]; fld tbyte ptr [rdi + 2248]",
                "ldmxcsr [rdi + 2376]",
                "fldcw [rdi + 2380]",
                "push qword ptr [rdi + 2224]",
                "popfq",
                "mov rax, [rdi + 2232]",
                "mov [rsp - 8], rax",
                "mov rax, [rdi + 2240]",
                "mov [rsp - 128], rax",
                "mov rcx, [rsp]",
                "mov rax, [rdi + 2112]; mov rbx, [rdi + 2120]; mov rdx, [rdi + 2128]",
                "mov rsi, [rdi + 2136]; mov rbp, [rdi + 2152]; mov r8, [rdi + 2160]",
                "mov r9, [rdi + 2168]; mov r10, [rdi + 2176]; mov r11, [rdi + 2184]",
                "mov r12, [rdi + 2192]; mov r13, [rdi + 2200]; mov r14, [rdi + 2208]",
                "mov r15, [rdi + 2216]",
                "mov rdi, [rdi + 2144]",
                // Changes no flag.
                "2: loop 2b",
                "mov rcx, [rsp + 8]",
                "mov [rcx + 2112], rax; mov [rcx + 2120], rbx; mov [rcx + 2128], rdx",
                "mov [rcx + 2136], rsi; mov [rcx + 2144], rdi; mov [rcx + 2152], rbp",
                "mov [rcx + 2160], r8; mov [rcx + 2168], r9; mov [rcx + 2176], r10",
                "mov [rcx + 2184], r11; mov [rcx + 2192], r12; mov [rcx + 2200], r13",
                "mov [rcx + 2208], r14; mov [rcx + 2216], r15",
                "mov rax, [rsp - 8]",
                "mov [rcx + 2232], rax",
                "mov rax, [rsp - 128]",
                "mov [rcx + 2240], rax",
                "pushfq",
                "pop qword ptr [rcx + 2224]",
                "cld",
                "stmxcsr [rcx + 2376]",
                "fnstcw [rcx + 2380]",
                "fstp tbyte ptr [rcx + 2248]; fstp tbyte ptr [rcx + 2264]",
                "fstp tbyte ptr [rcx + 2280]; fstp tbyte ptr [rcx + 2296]",
                "fstp tbyte ptr [rcx + 2312]; fstp tbyte ptr [rcx + 2328]",
                "fstp tbyte ptr [rcx + 2344]; fstp tbyte ptr [rcx + 2360]",
                $($store,)*
                "vzeroupper",
                "fninit",
                "mov qword ptr [rsp], 0x1f80",
                "ldmxcsr [rsp]",
                "pop rdx",
                "pop rsi",
                "pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx",
                "ret",
                ".cfi_endproc",
            )
        }
    };
}

hold!(
    hold_avx512,
    [
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
        "vmovdqu64 zmm\\n, [rdi + 64 * \\n]",
        ".endr",
        ".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
        "vmovdqu64 zmm\\n, [rdi + 64 * \\n]",
        ".endr",
        ".irp n, 0,1,2,3,4,5,6,7",
        "kmovq k\\n, [rdi + 2048 + 8 * \\n]",
        ".endr"
    ],
    [
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
        "vmovdqu64 [rcx + 64 * \\n], zmm\\n",
        ".endr",
        ".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
        "vmovdqu64 [rcx + 64 * \\n], zmm\\n",
        ".endr",
        ".irp n, 0,1,2,3,4,5,6,7",
        "kmovq [rcx + 2048 + 8 * \\n], k\\n",
        ".endr"
    ]
);

hold!(
    hold_avx2,
    [".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", "vmovdqu ymm\\n, [rdi + 64 * \\n]", ".endr"],
    [".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", "vmovdqu [rcx + 64 * \\n], ymm\\n", ".endr"]
);

fn word(random: &mut Random) -> u64 {
    (0..3).fold(0, |word, _| word << 22 | random.below(1 << 22) as u64)
}

impl State {
    fn random(random: &mut Random) -> State {
        // Finite numbers of the x87 format: the leading bit is explicit.
        let mut float = || {
            let (low, high) = (word(random) | 1 << 63, 0x3fff);
            let mut parts = [0; 8];
            (0..4).for_each(|i| parts[i] = (low >> (16 * i)) as u16);
            parts[4] = high;
            parts
        };
        let x87 = std::array::from_fn(|_| float());
        State {
            zmm: std::array::from_fn(|_| std::array::from_fn(|_| word(random))),
            masks: std::array::from_fn(|_| word(random)),
            general: std::array::from_fn(|_| word(random)),
            flags: FLAGS & (word(random) | 0x202),
            red: [word(random), word(random)],
            x87,
            // Rounding and exceptions that were raised; all of these are masked.
            control: 0x1f80 | (word(random) & 0x603f) as u32,
            x87_control: 0x037f | (word(random) & 0xc00) as u32,
        }
    }

    /// The first that differs.
    fn difference(&self, found: &State, wide: bool) -> Option<String> {
        let bytes = if wide { 64 } else { 32 };
        let vectors = if wide { 32 } else { 16 };
        for index in 0..vectors {
            let words = bytes / 8;
            if self.zmm[index][..words] != found.zmm[index][..words] {
                return Some(format!("vector {index}"));
            }
        }
        let general = self.general.iter().zip(&found.general).position(|(a, b)| a != b);
        [
            (wide && self.masks != found.masks).then(|| "masks".to_owned()),
            general.map(|index| format!("general register {index}")),
            (self.flags != found.flags).then(|| format!("{:x} {:x}", self.flags, found.flags)),
            (self.red != found.red).then(|| "red zone".to_owned()),
            (self.x87 != found.x87).then(|| "x87 stack".to_owned()),
            (self.control != found.control).then(|| "MXCSR".to_owned()),
            (self.x87_control != found.x87_control).then(|| "x87 control word".to_owned()),
        ]
        .into_iter()
        .flatten()
        .next()
    }
}

type Hold = unsafe extern "C" fn(*const State, *mut State, u64);

/// Preemptions that a process makes, if 20 seconds are enough for it.
const WANTED: u64 = 10_000;

/// Has processes run `body` until they have made so many preemptions, or `LISLE_TEST_PREEMPTIONS`.
fn often<F: FnOnce() + Copy>(body: F) {
    const FIRST: &str = "LISLE_TEST_FIRST";
    let asked = std::env::var("LISLE_TEST_PREEMPTIONS").ok();
    let asked = asked.and_then(|number| number.parse().ok()).unwrap_or(WANTED);
    for process in 0..asked.div_ceil(WANTED) {
        let first = (process * 6).to_string();
        in_child(&[("LISLE_SLICE", "20us"), (FIRST, &first)], body).expect_return();
    }
}

/// Of the generators of this process.
fn first_seed() -> u64 {
    std::env::var("LISLE_TEST_FIRST").unwrap().parse().unwrap()
}

fn holds(hold: Hold, wide: bool) {
    assert_eq!(std::mem::offset_of!(State, control), 2376);
    let until = Instant::now() + Duration::from_secs(20);
    let all: Vec<_> = (0..6)
        .map(|own| {
            lisle::spawn(move || {
                let mut random = Random::new(first_seed() + own);
                let mut rounds = 0;
                while lisle::runtime::metrics().preemptions < WANTED && Instant::now() < until {
                    let state = State::random(&mut random);
                    let mut found = state;
                    found.zmm = [[0; 8]; 32];
                    // SAFETY: the processor has these registers.
                    unsafe { hold(&raw const state, &raw mut found, 50_000) };
                    assert_eq!(state.difference(&found, wide), None);
                    rounds += 1;
                }
                rounds
            })
        })
        .collect();
    let rounds: u64 = all.into_iter().map(|one| one.join().unwrap()).sum();
    let preemptions = lisle::runtime::metrics().preemptions;
    println!("{preemptions} preemptions in {rounds} rounds");
    let coroutines = lisle::runtime::mode() == lisle::runtime::Mode::Coroutines;
    assert!(!coroutines || preemptions > 100, "{preemptions}");
}

#[test]
fn all_registers_with_avx512() {
    if !is_x86_feature_detected!("avx512bw") {
        println!("skipped: no AVX-512");
        return;
    }
    often(|| holds(hold_avx512, true));
}

#[test]
fn all_registers_with_avx2() {
    if !is_x86_feature_detected!("avx2") {
        println!("skipped: no AVX2");
        return;
    }
    often(|| holds(hold_avx2, false));
}

/// Floating point as compilers make it, on workers that go on with others in between.
#[test]
fn sums_come_out_the_same() {
    fn sum(seed: u64) -> u64 {
        let (mut a, mut f) = (seed, seed as f64);
        let mut lanes = [seed as f32; 16];
        for i in 0..300_000_u64 {
            a = a.rotate_left(5) ^ i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            f = f * 1.000_000_1 + (a & 7) as f64;
            lanes[(i & 15) as usize] += (a & 3) as f32 * 0.5;
        }
        a ^ f.to_bits() ^ lanes.iter().map(|lane| u64::from(lane.to_bits())).sum::<u64>()
    }
    in_child(&[("LISLE_SLICE", "20us")], || {
        let expected: Vec<_> = (0..4).map(sum).collect();
        let expected = std::sync::Arc::new(expected);
        let all: Vec<_> = (0..16)
            .map(|own| {
                let expected = std::sync::Arc::clone(&expected);
                lisle::spawn(move || {
                    for _ in 0..4 {
                        assert_eq!(sum(own % 4), expected[own as usize % 4]);
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    })
    .expect_return();
}
