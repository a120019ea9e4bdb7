//! One core's loop: receive, hand to the endpoint, send what it says, sleep until the next deadline.
//! It never opens a file and never waits for anything but its backend.
