//! The farm page in a real browser: what it shows, and that mouse and keyboard do what they say.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::browser::{Browser, skipped};
use super::http::Watched;
use crate::support::{Conversation, Root, Setup, packet, pattern};

/// A machine with an address of its own.
fn machine(watched: &Watched, ip: &str) -> Conversation {
    let socket = UdpSocket::bind(SocketAddr::new(ip.parse().expect("an address"), 0));
    Conversation::between(socket.expect("a loopback address"), watched.server.addr())
}

/// Fetches a file of one block.
fn fetch(client: &mut Conversation, name: &str) {
    client.rrq(name, "octet", &[]);
    client.expect();
    client.ack(1);
}

/// Four machines: one boots, one stalls in its kernel, one asks for what is not there, one is refused
/// a name that is an attack.
fn farm() -> (Root, Watched, Conversation) {
    let root = Root::with("pxelinux.0", b"loader");
    root.write("vmlinuz", b"kernel");
    root.write("initrd.img", &pattern(20_000, 1));
    let watched = Watched::start(&root, Setup::EPOLL, &[]);
    let mut good = machine(&watched, "127.0.1.1");
    fetch(&mut good, "pxelinux.0");
    good.rrq("pxelinux.cfg/default", "octet", &[]);
    good.expect();
    fetch(&mut good, "vmlinuz");
    let mut stalls = machine(&watched, "127.0.1.2");
    stalls.rrq("initrd.img", "octet", &[]);
    stalls.expect();
    stalls.ack(1);
    stalls.expect();
    let mut lost = machine(&watched, "127.0.1.3");
    lost.rrq("missing/vmlinuz", "octet", &[]);
    lost.expect();
    let mut hostile = machine(&watched, "127.0.1.4");
    hostile.request(&packet::request(
        1,
        b"<img src=x onerror=window.broken=1>",
        "octet",
        &[],
    ));
    hostile.expect();
    (root, watched, stalls)
}

fn names(browser: &Browser) -> serde_json::Value {
    browser.ask("[...document.querySelectorAll('#rows .name')].map((it) => it.textContent)")
}

#[test]
fn the_page_shows_the_farm_and_obeys() {
    if skipped() {
        return;
    }
    let (_root, watched, stalls) = farm();
    let browser = Browser::open(&format!("http://{}/", watched.admin));
    browser.until("document.querySelectorAll('#rows .row').length === 4");
    // One that stalls turns up as stuck, with its reason, and first of all.
    browser.until("document.querySelector('#rows .row')?.dataset.state === 'stuck'");
    browser
        .until("document.querySelector('#rows .row .why').textContent.startsWith('no ACK for ')");
    browser.until(
        "document.querySelector('[data-state=done]#rows, #rows [data-state=done]') !== null",
    );
    assert_eq!(
        browser.ask("document.querySelector('#rows .name').textContent"),
        json!("127.0.1.2")
    );
    browser.until("document.getElementById('done').textContent === '1'");
    browser.until("document.title.startsWith('3 in trouble')");
    assert_eq!(
        browser.ask("document.querySelectorAll('#failures li').length"),
        json!(2)
    );
    assert_eq!(
        browser.ask("window.broken === undefined"),
        json!(true),
        "names are text"
    );
    let said = "document.getElementById('failures').innerText";
    assert!(
        browser
            .ask(said)
            .as_str()
            .expect("text")
            .contains("There is no file of this name")
    );

    // Filter by state, by word, and by both.
    browser.click(".chip[data-state=stuck]");
    assert_eq!(names(&browser), json!(["127.0.1.2"]));
    assert_eq!(
        browser.ask("document.querySelector('.chip').ariaPressed"),
        json!("true")
    );
    browser.click(".chip[data-state=stuck]");
    browser.click("#find");
    browser.type_text("missing");
    assert_eq!(names(&browser), json!(["127.0.1.3"]));
    browser.type_text(" nothing");
    assert_eq!(names(&browser), json!([]));
    assert_eq!(
        browser.ask("document.getElementById('empty').hidden"),
        json!(false)
    );
    browser.ask("document.getElementById('find').select()");
    browser.call("Input.insertText", &json!({ "text": "" }));
    browser.until("document.querySelectorAll('#rows .row').length === 4");

    // Sort by name, both ways.
    browser.click("th[data-key=name] button");
    assert_eq!(
        names(&browser),
        json!(["127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4"])
    );
    assert_eq!(
        browser.ask("document.querySelector('th[data-key=name]').ariaSort"),
        json!("ascending")
    );
    browser.click("th[data-key=name] button");
    assert_eq!(
        names(&browser),
        json!(["127.0.1.4", "127.0.1.3", "127.0.1.2", "127.0.1.1"])
    );

    // A machine's timeline, by keyboard: Enter opens, Escape closes and the focus is where it was.
    browser.ask("[...document.querySelectorAll('#rows .name')].pop().focus()");
    browser.key("Enter");
    browser.until("document.activeElement.id === 'detail-name'");
    let stages =
        browser.ask("[...document.querySelectorAll('#timeline .tag')].map((it) => it.textContent)");
    assert_eq!(stages, json!(["loader", "config", "kernel"]));
    browser.key("Escape");
    browser.until("document.getElementById('detail').hidden");
    assert_eq!(
        browser.ask("document.activeElement.textContent"),
        json!("127.0.1.1")
    );

    // The stalled machine goes on: live, without a reload.
    stalls.ack(2);
    browser.until("document.querySelector('#rows [data-state=stuck]') === null");
    assert!(watched.server.stop().contains("SIGTERM"));
    browser.until("document.getElementById('link').dataset.state === 'lost'");
    // What cannot be asked for any more is not taken for forgotten.
    browser.click("#rows .name");
    browser.until(
        "document.getElementById('detail-verdict').textContent === 'The server does not answer.'",
    );
    browser.until("document.getElementById('detail-name').textContent === '127.0.1.4'");
}

#[test]
fn the_page_can_be_used_without_eyes_and_on_paper() {
    if skipped() {
        return;
    }
    let (_root, watched, _stalls) = farm();
    let browser = Browser::open(&format!("http://{}/", watched.admin));
    browser.until("document.querySelectorAll('#rows .row').length === 4");
    // Everything that can be used has a name and takes the focus.
    let nameless = "[...document.querySelectorAll('button, input')].filter((it) => \
         !(it.ariaLabel || it.textContent.trim() || it.labels?.length)).length";
    assert_eq!(browser.ask(nameless), json!(0));
    browser.call("Accessibility.enable", &json!({}));
    let tree = browser.call("Accessibility.getFullAXTree", &json!({}));
    let nodes = tree["nodes"].as_array().expect("a tree");
    let has = |role: &str, name: &str| {
        nodes.iter().any(|node| {
            node["role"]["value"] == role
                && node["name"]["value"]
                    .as_str()
                    .is_some_and(|it| it.contains(name))
        })
    };
    for (role, name) in [
        ("table", "Machines and what each is fetching"),
        ("columnheader", "Round trip"),
        ("rowheader", "127.0.1.2"),
        ("button", "Stuck"),
        ("searchbox", "Find a machine"),
        ("heading", "Recent failures"),
        ("status", ""),
    ] {
        assert!(has(role, name), "no {role} {name}");
    }
    // Text stands out from its ground, in both schemes (WCAG AA: 4.5 to 1).
    for dark in [false, true] {
        browser.dark(dark);
        thread::sleep(Duration::from_millis(300));
        let faint = browser.ask(FAINT);
        assert_eq!(faint, json!([]), "dark: {dark}");
    }
    browser.dark(false);
    // Paper is narrower than a window, and nothing on it can be opened: every column is there.
    let media = |media: &str| {
        browser.call("Emulation.setEmulatedMedia", &json!({ "media": media }));
    };
    browser.size(700, 900);
    let shown =
        "[...document.querySelectorAll('#heads th')].filter((it) => it.checkVisibility()).length";
    assert_eq!(browser.ask(shown), json!(3), "on a small screen");
    media("print");
    assert_eq!(browser.ask(shown), json!(8), "on paper");
    media("");
    let pdf = browser.call("Page.printToPDF", &json!({}));
    assert!(pdf["data"].as_str().expect("a document").len() > 10_000);
}

/// Texts whose contrast is below 4.5.
const FAINT: &str = r"(() => {
    const light = (c) => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
    const value = (rgb) => .2126 * light(rgb[0]) + .7152 * light(rgb[1]) + .0722 * light(rgb[2]);
    const parse = (text) => text.match(/[\d.]+/g).map(Number);
    const ground = (node) => {
        for (; node; node = node.parentElement) {
            const color = parse(getComputedStyle(node).backgroundColor);
            if (color.length < 4 || color[3] > 0) return color;
        }
        return [255, 255, 255];
    };
    const faint = new Set();
    for (const node of document.querySelectorAll('main *, header *')) {
        const own = [...node.childNodes].some((it) => it.nodeType === 3 && it.textContent.trim());
        if (!own || !node.checkVisibility()) continue;
        const [a, b] = [value(parse(getComputedStyle(node).color)), value(ground(node))].sort();
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const ratio = (high + .05) / (low + .05);
        if (ratio < 4.5) faint.add(node.tagName + '.' + node.className + ' ' + node.textContent + ' ' + ratio.toFixed(2));
    }
    return [...faint];
})()";

#[test]
fn a_long_table_has_few_rows_at_a_time() {
    if skipped() {
        return;
    }
    let root = Root::with("vmlinuz", b"kernel");
    let watched = Watched::start(&root, Setup::EPOLL, &[]);
    for nth in 0..400 {
        let ip = format!("127.0.{}.{}", 2 + nth / 200, 1 + nth % 200);
        fetch(&mut machine(&watched, &ip), "vmlinuz");
    }
    let browser = Browser::open(&format!("http://{}/", watched.admin));
    browser.until("document.getElementById('table')?.getAttribute('aria-rowcount') === '401'");
    let count = browser.ask("document.querySelectorAll('#rows .row').length");
    assert!(count.as_u64().is_some_and(|count| count < 50), "{count}");
    browser.ask("scrollTo(0, document.body.scrollHeight)");
    browser.until("[...document.querySelectorAll('#rows .row')].some((it) => it.getAttribute('aria-rowindex') === '401')");
    browser.ask("dispatchEvent(new Event('beforeprint'))");
    assert_eq!(
        browser.ask("document.querySelectorAll('#rows .row').length"),
        json!(400)
    );
}
