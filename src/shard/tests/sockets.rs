//! Binding: groups, guards, ranges, single port.

use std::net::UdpSocket;

use super::harness::{plan, sockets};
use crate::endpoint::SocketId;
use crate::shard::{Listen, Plan, bind};

#[test]
fn every_shard_is_in_the_group_and_has_its_own_data_ports() {
    let plan = Plan {
        shards: 3,
        ..plan("127.0.0.1:0")
    };
    let shards = bind(&plan).expect("free ports");
    let mut data_ports = Vec::new();
    let listening = shards[0].layout().listening().next();
    for shard in &shards {
        let layout = shard.layout();
        assert_eq!(layout.listening().next(), listening);
        assert!(layout.is_listener(SocketId(0)) && !layout.is_data(SocketId(0)));
        let reply = layout.reply_socket(SocketId(0));
        assert!(layout.is_data(reply) && !layout.is_listener(reply));
        let data = layout.ids().filter(|&id| layout.is_data(id));
        data_ports.extend(data.map(|id| layout.addr(id).expect("bound").port()));
        assert!(shard.buffers().receive > 100_000);
    }
    let count = data_ports.len();
    data_ports.sort_unstable();
    data_ports.dedup();
    assert_eq!(data_ports.len(), count);
}

#[test]
fn a_running_server_is_not_joined() {
    let first = sockets(&plan("127.0.0.1:0"));
    let addr = first.layout().listening().next().expect("bound");
    let error = bind(&plan(&addr.to_string())).expect_err("taken");
    assert_eq!(error.addr, addr);
    assert!(error.to_string().contains("another program"), "{error}");
    drop(first);
    bind(&plan(&addr.to_string())).expect("free again");
}

#[test]
fn data_ports_are_shared_out() {
    let plan = Plan {
        shards: 2,
        data_ports: Some((47_310, 47_315)),
        ..plan("127.0.0.1:0")
    };
    let _taken = UdpSocket::bind("127.0.0.1:47310").expect("free");
    let shards = bind(&plan).expect("enough left");
    let ports = shards.iter().map(|shard| {
        let layout = shard.layout();
        let data = layout.reply_socket(SocketId(0));
        layout.addr(data).expect("bound").port()
    });
    assert_eq!(ports.collect::<Vec<_>>(), [47_312, 47_311]);
}

#[test]
fn an_exhausted_range_is_an_error() {
    let plan = Plan {
        data_ports: Some((47_330, 47_330)),
        ..plan("127.0.0.1:0")
    };
    let _taken = UdpSocket::bind("127.0.0.1:47330").expect("free");
    let error = bind(&plan).expect_err("no port left");
    assert_eq!(error.addr.port(), 47_330);
}

#[test]
fn single_port_answers_from_where_it_was_asked() {
    let plan = Plan {
        single_port: true,
        ..plan("127.0.0.1:0")
    };
    let sockets = sockets(&plan);
    let layout = sockets.layout();
    assert_eq!(layout.ids().count(), 1);
    assert_eq!(layout.reply_socket(SocketId(0)), SocketId(0));
    assert!(layout.is_listener(SocketId(0)) && layout.is_data(SocketId(0)));
}

#[test]
fn errors_name_the_address() {
    let error = bind(&plan("192.0.2.77:0")).expect_err("not ours");
    assert!(error.to_string().contains("192.0.2.77"), "{error}");
    let mut optional = plan("192.0.2.77:0");
    let addr = optional.listen[0].addr;
    optional.listen[0] = Listen {
        addr,
        optional: true,
    };
    let sockets = bind(&optional).expect("left out");
    assert_eq!(sockets[0].layout().ids().count(), 0);
}
