//! The stream of looks at the farm for one watcher (server-sent events).
//! It never waits for a slow watcher: who falls behind gets everything anew.

use std::sync::Arc;

use http_body_util::Channel;
use http_body_util::channel::Sender;
use hyper::body::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::error::RecvError;

use super::hub::Hub;

/// A body that goes on for as long as somebody reads it.
pub fn stream(hub: Arc<Hub>, seat: OwnedSemaphorePermit) -> Channel<Bytes> {
    let (sender, body) = Channel::new(1);
    tokio::spawn(tell(hub, sender, seat));
    body
}

async fn tell(hub: Arc<Hub>, mut to: Sender<Bytes>, seat: OwnedSemaphorePermit) {
    let mut looks = hub.listen();
    if to.send_data(hub.everything()).await.is_err() {
        return;
    }
    loop {
        let next = match looks.recv().await {
            Ok(look) => look,
            Err(RecvError::Lagged(_)) => {
                looks = looks.resubscribe();
                hub.everything()
            }
            Err(RecvError::Closed) => return drop(seat),
        };
        if to.send_data(next).await.is_err() {
            return;
        }
    }
}
