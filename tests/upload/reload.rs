//! SIGHUP and uploads: the policy holds for those that come from then on; what a running server cannot
//! have is refused with its line, and nothing changes.

use crate::naming::{Site, put};
use crate::sender::{data, wrq};
use crate::support::{Conversation, Packet, Server};

/// Another configuration and SIGHUP; the line that says what came of it.
#[track_caller]
fn reconfigure(server: &Server, site: &Site, config: &str) -> String {
    site.configure(config);
    server.reload()
}

backends! {
    /// Patterns, quotas and what becomes of old files; and whether anything is taken at all.
    fn the_policy_changes_for_new_uploads(setup) {
        let site = Site::new("[upload]\ndir = 'up'\n");
        let server = site.serve(setup);
        assert_eq!(put(&server, "a.cfg", "old"), Ok(()));
        assert_eq!(put(&server, "a.cfg", "new"), Err(6));
        let said = reconfigure(
            &server,
            &site,
            "[upload]\ndir = 'up'\npolicy = 'overwrite'\nallow = ['*.cfg']\nmax-file = '5'\nmax-client = '8'\n",
        );
        assert!(said.contains("was read again"), "{said}");
        assert_eq!(put(&server, "a.cfg", "new"), Ok(()));
        assert_eq!(site.read("up/a.cfg").as_deref(), Some("new"));
        assert_eq!(put(&server, "a.bin", "x"), Err(2), "allow");
        assert_eq!(put(&server, "b.cfg", "123456"), Err(3), "max-file");
        assert_eq!(put(&server, "b.cfg", "12345"), Ok(()));
        assert_eq!(put(&server, "c.cfg", "1"), Err(3), "what was there before counts for max-client");
        reconfigure(&server, &site, "");
        assert_eq!(put(&server, "d.cfg", "1"), Err(2), "uploads are off");
        reconfigure(&server, &site, "[upload]\ndir = 'up'\npolicy = 'existing'\n");
        assert_eq!(put(&server, "d.cfg", "1"), Err(1));
        assert_eq!(put(&server, "a.cfg", "newest"), Ok(()));
        let kept = server.stderr().lines().any(|line| line.contains("needs a restart"));
        assert!(!kept, "{}", server.stderr());
        server.stop();
    }

    /// An upload under way ends by the policy with which it began.
    fn uploads_under_way_keep_their_policy(setup) {
        let site = Site::new("[upload]\ndir = 'up'\npolicy = 'overwrite'\n");
        std::fs::write(site.path("up/a.bin"), "old").expect("a file");
        let server = site.serve(setup);
        let mut client = Conversation::with(&server);
        client.request(&wrq("a.bin", "octet", &[]));
        assert_eq!(client.expect(), Packet::Ack(0));
        for config in ["[upload]\ndir = 'up'\nallow = ['*.cfg']\nmax-file = '10'\n", ""] {
            reconfigure(&server, &site, config);
            assert_eq!(put(&server, "b.bin", "x"), Err(2));
        }
        client.send(&data(1, &[b'x'; 512]));
        assert_eq!(client.expect(), Packet::Ack(1));
        client.send(&data(2, b"end"));
        assert_eq!(client.expect(), Packet::Ack(2));
        assert_eq!(site.read("up/a.bin").map(|text| text.len()), Some(515));
        server.stop();
    }

    /// Landlock lets nobody write where it did not at the start.
    fn a_directory_out_of_reach_is_named_with_its_line(setup) {
        let site = Site::new("[upload]\ndir = 'up'\n");
        std::fs::create_dir(site.path("up/sub")).expect("a directory");
        let server = site.serve(setup);
        let said = reconfigure(&server, &site, "\n[upload]\npolicy = 'overwrite'\ndir = 'other'\n");
        assert!(said.contains("nothing has changed"), "{said}");
        let wanted = format!("ringboot.toml:6:7: the upload directory {} was out of reach", site.text("other"));
        assert!(said.contains(&wanted), "{said}");
        // The whole former configuration is still in force.
        assert_eq!(put(&server, "a", "1"), Ok(()));
        assert_eq!(put(&server, "a", "2"), Err(6));
        let said = reconfigure(&server, &site, "[roots.default]\nuploads = true\n");
        assert!(said.contains("the upload directory"), "a root that could only be read: {said}");
        let said = reconfigure(&server, &site, "[upload]\ndir = 'up/sub'\n");
        assert!(said.contains("was read again"), "{said}");
        assert_eq!(put(&server, "a", "3"), Ok(()));
        assert_eq!(site.read("up/sub/a").as_deref(), Some("3"));
        server.stop();
    }

    fn uploads_begin_with_a_start(setup) {
        let site = Site::new("");
        let server = site.serve(setup);
        let said = reconfigure(&server, &site, "[upload]\ndir = 'up'\n");
        assert!(said.contains("ringboot.toml:4:7: uploads were off when the server started"), "{said}");
        assert_eq!(put(&server, "a", "1"), Err(2));
        server.stop();
    }
}
