//! scratch
#![allow(clippy::all, clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, clippy::print_stdout)]
use gesta_store::*;
use std::time::Instant;
fn main() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let store = EventStore::open(dir.path()).unwrap();
    store.settle().unwrap();
    let ev = || EventData::json(EventType::new("Happened").unwrap(), vec![b'x'; 256]);
    let stream = |n: u64| StreamName::new(format!("account-{n}")).unwrap();
    // raw
    {
        use std::os::unix::fs::{FileExt, OpenOptionsExt};
        let p = dir.path().join("raw");
        std::fs::write(&p, vec![0u8; 64 << 20]).unwrap();
        std::fs::File::open(&p).unwrap().sync_all().unwrap();
        let f = std::fs::OpenOptions::new().write(true).custom_flags(0o40000 | 0o10000).open(&p).unwrap();
        let mut v = vec![7u8; 8192 + 4096];
        let s = v.as_ptr().align_offset(4096);
        let b = &mut v[s..s + 4096];
        let mut l = vec![];
        let t = Instant::now();
        for i in 0..2000u64 {
            let a = Instant::now();
            f.write_all_at(b, (i * 440) / 4096 * 4096).unwrap();
            l.push(a.elapsed());
        }
        let e = t.elapsed();
        l.sort();
        println!("raw direct: {:.0}/s p50 {:?} p99 {:?}", 2000.0 / e.as_secs_f64(), l[1000], l[1980]);
    }
    let mut l = vec![];
    let t = Instant::now();
    for i in 0..2000u64 {
        let a = Instant::now();
        store.append(stream(i % 100), ExpectedRevision::Any, [ev()]).wait().unwrap();
        l.push(a.elapsed());
    }
    let e = t.elapsed();
    l.sort();
    println!("1 client: {:.0}/s p50 {:?} p99 {:?}", 2000.0 / e.as_secs_f64(), l[1000], l[1980]);
    for clients in [8u64, 32, 128] {
        let each = 40_000 / clients;
        let t = Instant::now();
        let mut all: Vec<_> = std::thread::scope(|s| {
            let hs: Vec<_> = (0..clients)
                .map(|c| {
                    let store = &store;
                    s.spawn(move || {
                        let mut l = vec![];
                        for i in 0..each {
                            let a = Instant::now();
                            store.append(stream(c * 100 + i % 50), ExpectedRevision::Any, [ev()]).wait().unwrap();
                            l.push(a.elapsed());
                        }
                        l
                    })
                })
                .collect();
            hs.into_iter().flat_map(|h| h.join().unwrap()).collect()
        });
        let e = t.elapsed();
        all.sort();
        println!(
            "{clients} clients: {:.0}/s p50 {:?} p99 {:?}",
            all.len() as f64 / e.as_secs_f64(),
            all[all.len() / 2],
            all[all.len() * 99 / 100]
        );
    }
    for depth in [128usize, 1024] {
        let t = Instant::now();
        let n = 200_000;
        let mut q = std::collections::VecDeque::new();
        for i in 0..n {
            q.push_back(store.append(stream(i % 1000), ExpectedRevision::Any, [ev()]));
            if q.len() >= depth {
                q.pop_front().unwrap().wait().unwrap();
            }
        }
        for x in q {
            x.wait().unwrap();
        }
        println!("pipeline {depth}: {:.0}/s", n as f64 / t.elapsed().as_secs_f64());
    }
    let t = Instant::now();
    let n = 1_000_000u64;
    let mut q = std::collections::VecDeque::new();
    for b in 0..n / 1000 {
        let a = Append::to(stream(b % 1000), ExpectedRevision::Any, (0..1000).map(|_| ev()));
        q.push_back(store.commit(a));
        if q.len() > 4 {
            q.pop_front().unwrap().wait().unwrap();
        }
    }
    for x in q {
        x.wait().unwrap();
    }
    println!("bulk: {:.0}/s", n as f64 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    let mut r = store.read_all(ReadOptions::default()).unwrap();
    let (mut c, mut bytes) = (0u64, 0usize);
    while let Some(b) = r.next_batch().unwrap() {
        for e in b.iter() {
            c += 1;
            bytes += e.stream.len() + e.data.len();
        }
    }
    println!("read all: {:.2} M/s ({bytes})", c as f64 / t.elapsed().as_secs_f64() / 1e6);
    let t = Instant::now();
    store.settle().unwrap();
    println!("settle {:?} {:?}", t.elapsed(), store.info().unwrap());
    let t = Instant::now();
    let rep = store.verify(|_| {}).unwrap();
    println!("verify {:?} {:?} {:?}", t.elapsed(), rep.problems, rep.events);
}
