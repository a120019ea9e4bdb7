//! Debian's Chromium without a window, steered by the DevTools protocol over a pipe.
//! It never loads anything but the page under test, and never outlives its test.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::server::{PATIENCE, flag};

/// The protocol's pipe is file descriptors 3 and 4.
const START: &str = "exec chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
     --disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage \
     --hide-scrollbars --remote-debugging-pipe --user-data-dir=\"$1\" about:blank 3<&0 4>&1 0</dev/null 1>/dev/null 2>&1";

pub struct Browser {
    child: Child,
    to: RefCell<ChildStdin>,
    from: RefCell<BufReader<ChildStdout>>,
    session: String,
    number: Cell<u64>,
    _profile: TempDir,
}

/// Whether there is to be no browser; a missing one is a failure.
pub fn skipped() -> bool {
    let skip = flag("RINGBOOT_SKIP_BROWSER");
    if skip {
        eprintln!("skipped: RINGBOOT_SKIP_BROWSER is set");
    }
    skip
}

impl Browser {
    pub fn open(url: &str) -> Self {
        use std::os::unix::process::CommandExt;

        let profile = TempDir::with_prefix("ringboot-browser-").expect("a directory");
        let mut child = Command::new("sh")
            .args(["-c", START, "sh"])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a shell");
        let to = child.stdin.take().expect("a pipe");
        let from = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut browser = Self {
            child,
            to: RefCell::new(to),
            from: RefCell::new(from),
            session: String::new(),
            number: Cell::new(0),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", &attach);
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        browser.size(1360, 900);
        browser.call("Page.navigate", &json!({ "url": url }));
        browser
    }

    pub fn size(&self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    pub fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        );
    }

    /// What an expression is.
    pub fn ask(&self, expression: &str) -> Value {
        let question =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", &question);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.ask(expression) != Value::Bool(true) {
            let page = || self.ask("document.body ? document.body.innerText : ''");
            assert!(Instant::now() < deadline, "never: {expression}\n{}", page());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// A real press of the mouse in the middle of the first element of this kind.
    pub fn click(&self, selector: &str) {
        let place = self.ask(&format!(
            "(() => {{ const box = document.querySelector({selector:?}).getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let press = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &press);
        }
    }

    pub fn key(&self, key: &str) {
        let code = match key {
            "Escape" => 27,
            "Enter" => 13,
            "Tab" => 9,
            "ArrowDown" => 40,
            _ => 0,
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if key == "Enter" && kind == "keyDown" {
                "\r"
            } else {
                ""
            };
            let press = json!({ "type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", &press);
        }
    }

    pub fn type_text(&self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    pub fn call(&self, method: &str, params: &Value) -> Value {
        let id = self.number.get() + 1;
        self.number.set(id);
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to
            .borrow_mut()
            .write_all(&bytes)
            .expect("a browser that listens");
        loop {
            let mut answer = Vec::new();
            self.from
                .borrow_mut()
                .read_until(0, &mut answer)
                .expect("a browser that talks");
            assert_eq!(
                answer.pop(),
                Some(0),
                "chromium has ended: is Debian's package installed?"
            );
            let answer: Value = serde_json::from_slice(&answer).expect("JSON");
            if answer["id"] == json!(id) {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}
