//! The firmware of a farm, after the project's notes on how real clients behave, and a few
//! clients that are worse.
//! It never simulates: each model is a row of habits.

use ringboot::transfer::Nanos;

use super::habits::{Ask, Closing, Habits, OnGap, OnOld, Pace, Slashes};

const fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

/// Every model.
pub const ALL: [fn() -> Habits; 22] = [
    plain, ipxe, grub, pxelinux, uboot, uboot_wide, edk2, edk2_wide, windows, pi_rom, pi_boot,
    curl, busybox, intel_rom, cisco, hpa, window_64, window_8, hoarder, rollover, impatient, atftp,
];

/// The one that asks for netascii.
pub const TEXT: fn() -> Habits = procurve;

/// RFC 1350 and nothing else, with a timer of a second.
pub fn plain() -> Habits {
    Habits {
        name: "plain",
        asks: Vec::new(),
        junk: b"",
        slashes: Slashes::Plain,
        request_copies: 1,
        request_pace: Pace::every(ms(1_000), 30),
        read_pace: Pace::every(ms(1_000), 40),
        resends_acks: true,
        put_off: false,
        on_old: OnOld::AckThat,
        on_gap: OnGap::Ignore,
        hoards: false,
        needs_oack: false,
        probes_with: None,
        bare_errors: false,
        long_acks: false,
        refuses_with: 8,
        restarts: 0,
        closing: Closing::Dally(ms(1_500)),
        think: Nanos::from_micros(200),
        stall: Nanos::ZERO,
    }
}

/// Acknowledges every DATA with the first gap.
pub fn ipxe() -> Habits {
    let pace = Pace::growing(ms(250), 200, ms(10_000), 7);
    Habits {
        name: "ipxe",
        asks: vec![Ask::Blksize(1432), Ask::Tsize(0)],
        slashes: Slashes::Leading,
        request_pace: pace,
        read_pace: pace,
        on_old: OnOld::AckNewest,
        on_gap: OnGap::AckEach,
        refuses_with: 0,
        closing: Closing::Silent,
        ..plain()
    }
}

/// Never sends an ACK again by itself, and stalls when its queue is full.
pub fn grub() -> Habits {
    Habits {
        name: "grub",
        asks: vec![Ask::Blksize(1024), Ask::Tsize(0)],
        slashes: Slashes::Leading,
        request_pace: Pace::growing(ms(400), 105, ms(1_200), 40),
        read_pace: Pace::every(ms(40_000), 0),
        resends_acks: false,
        needs_oack: true,
        closing: Closing::Icmp,
        stall: ms(120),
        ..plain()
    }
}

/// Asks again after two ticks of the BIOS clock.
pub fn pxelinux() -> Habits {
    let pace = Pace::growing(ms(110), 122, ms(14_000), 28);
    Habits {
        name: "pxelinux",
        asks: vec![Ask::Tsize(0), Ask::Blksize(1408)],
        request_pace: pace,
        read_pace: pace,
        on_old: OnOld::AckNewest,
        on_gap: OnGap::AckEach,
        closing: Closing::Silent,
        ..plain()
    }
}

/// One ACK for each gap; starts over when all else fails.
pub fn uboot() -> Habits {
    Habits {
        name: "uboot",
        asks: vec![
            Ask::Timeout(5),
            Ask::Tsize(4_096),
            Ask::Blksize(1468),
            Ask::Windowsize(4),
        ],
        request_pace: Pace::every(ms(5_000), 10),
        read_pace: Pace::every(ms(5_000), 10),
        on_old: OnOld::AckOnce,
        on_gap: OnGap::AckOnce,
        restarts: 3,
        closing: Closing::Silent,
        ..plain()
    }
}

pub fn uboot_wide() -> Habits {
    Habits {
        name: "uboot wide",
        asks: vec![Ask::Timeout(5), Ask::Blksize(1468), Ask::Windowsize(16)],
        ..uboot()
    }
}

/// Asks for the size first. Acknowledges each block that it did not expect with the newest one.
pub fn edk2() -> Habits {
    let pace = Pace::every(ms(4_000), 6);
    Habits {
        name: "edk2",
        asks: vec![Ask::Tsize(0), Ask::Blksize(1468), Ask::Windowsize(4)],
        request_pace: pace,
        read_pace: pace,
        on_old: OnOld::AckNewest,
        on_gap: OnGap::AckEach,
        probes_with: Some(8),
        refuses_with: 4,
        closing: Closing::Icmp,
        ..plain()
    }
}

pub fn edk2_wide() -> Habits {
    Habits {
        name: "edk2 wide",
        asks: vec![Ask::Tsize(0), Ask::Blksize(1468), Ask::Windowsize(64)],
        ..edk2()
    }
}

/// The boot manager: backslashes, an option of its own, a byte more than an ACK has.
pub fn windows() -> Habits {
    Habits {
        name: "windows",
        asks: vec![
            Ask::Tsize(0),
            Ask::Blksize(1456),
            Ask::Windowsize(4),
            Ask::Ignored("msftwindow", "31416"),
        ],
        slashes: Slashes::Back,
        on_old: OnOld::AckNewest,
        on_gap: OnGap::AckOnce,
        long_acks: true,
        closing: Closing::Icmp,
        ..plain()
    }
}

/// The same where its option is granted: it chooses each window.
pub fn windows_variable() -> Habits {
    Habits {
        name: "windows variable",
        asks: vec![
            Ask::Tsize(0),
            Ask::Blksize(1456),
            Ask::Windowsize(4),
            Ask::Msftwindow,
        ],
        ..windows()
    }
}

/// Pi 2 and 3.
pub fn pi_rom() -> Habits {
    Habits {
        name: "pi rom",
        asks: vec![Ask::Tsize(0)],
        closing: Closing::Silent,
        ..plain()
    }
}

/// Pi 4 and 5: never asks again.
pub fn pi_boot() -> Habits {
    Habits {
        name: "pi boot",
        asks: vec![Ask::Tsize(0), Ask::Blksize(1024)],
        request_pace: Pace::every(ms(20_000), 0),
        read_pace: Pace::every(ms(20_000), 0),
        resends_acks: false,
        needs_oack: true,
        closing: Closing::Silent,
        ..plain()
    }
}

pub fn curl() -> Habits {
    Habits {
        name: "curl",
        asks: vec![Ask::Tsize(0), Ask::Blksize(512), Ask::Timeout(6)],
        request_pace: Pace::every(ms(6_000), 10),
        read_pace: Pace::every(ms(6_000), 10),
        bare_errors: true,
        closing: Closing::Icmp,
        ..plain()
    }
}

/// Does not acknowledge a block that it has already.
pub fn busybox() -> Habits {
    let pace = Pace::growing(ms(100), 150, ms(2_000), 12);
    Habits {
        name: "busybox",
        asks: vec![Ask::Tsize(0), Ask::Blksize(1428)],
        request_pace: pace,
        read_pace: pace,
        on_old: OnOld::Ignore,
        closing: Closing::Icmp,
        ..plain()
    }
}

/// Bytes of 0xff behind its request; asks for the size first.
pub fn intel_rom() -> Habits {
    Habits {
        name: "intel rom",
        asks: vec![Ask::Tsize(0), Ask::Blksize(1456)],
        junk: b"\xff\xff",
        probes_with: Some(0),
        on_old: OnOld::AckNewest,
        closing: Closing::Silent,
        ..plain()
    }
}

pub fn cisco() -> Habits {
    Habits {
        name: "cisco",
        request_pace: Pace::every(ms(3_000), 6),
        read_pace: Pace::every(ms(3_000), 10),
        ..plain()
    }
}

pub fn hpa() -> Habits {
    Habits {
        name: "hpa",
        asks: vec![Ask::Blksize2(1400), Ask::Utimeout(300_000)],
        request_pace: Pace::every(ms(300), 80),
        read_pace: Pace::every(ms(300), 80),
        ..plain()
    }
}

/// Answers the first repeat of a block, ignores the others, and begins to wait anew with each.
pub fn atftp() -> Habits {
    let pace = Pace::every(ms(5_000), 5);
    Habits {
        name: "atftp",
        request_pace: pace,
        read_pace: pace,
        put_off: true,
        on_old: OnOld::AckOnce,
        closing: Closing::Icmp,
        ..plain()
    }
}

/// u-root's kind: the widest usual window.
pub fn window_64() -> Habits {
    Habits {
        name: "window 64",
        asks: vec![Ask::Blksize(1428), Ask::Windowsize(64)],
        on_old: OnOld::Ignore,
        on_gap: OnGap::AckOnce,
        ..plain()
    }
}

/// Knows windows but nothing of gaps: it waits.
pub fn window_8() -> Habits {
    Habits {
        name: "window 8",
        asks: vec![Ask::Windowsize(8), Ask::Blksize(600)],
        on_old: OnOld::AckThat,
        on_gap: OnGap::Ignore,
        ..plain()
    }
}

/// Keeps what comes behind a gap.
pub fn hoarder() -> Habits {
    Habits {
        name: "hoarder",
        asks: vec![Ask::Windowsize(32), Ask::Blksize(1000)],
        on_old: OnOld::AckNewest,
        on_gap: OnGap::AckOnce,
        hoards: true,
        ..plain()
    }
}

/// Tiny blocks, so that numbers wrap; to 1.
pub fn rollover() -> Habits {
    Habits {
        name: "rollover",
        asks: vec![Ask::Rollover(1), Ask::Blksize(8), Ask::Windowsize(16)],
        on_old: OnOld::AckNewest,
        on_gap: OnGap::AckOnce,
        ..plain()
    }
}

/// The same without the option: after 65,535 comes 0.
pub fn wrap_to_0() -> Habits {
    Habits {
        name: "wrap to 0",
        asks: vec![Ask::Blksize(8), Ask::Windowsize(16)],
        ..rollover()
    }
}

/// Every request three times, and a retry after 5 ms.
pub fn impatient() -> Habits {
    Habits {
        name: "impatient",
        asks: vec![Ask::Blksize(1300)],
        request_copies: 3,
        request_pace: Pace::growing(ms(5), 150, ms(3_000), 24),
        read_pace: Pace::growing(ms(20), 150, ms(3_000), 24),
        ..plain()
    }
}

/// HP ProCurve.
pub fn procurve() -> Habits {
    Habits {
        name: "procurve",
        asks: vec![Ask::Tsize(0), Ask::Blksize(512)],
        ..plain()
    }
}
