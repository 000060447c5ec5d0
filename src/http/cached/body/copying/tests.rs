use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Frame, SizeHint};

use super::{Copied, Copying, Framing, Next};

const KIB: usize = 1024;

fn copying(limit: usize, declared: SizeHint) -> Option<(Copying, Arc<Mutex<Option<Copied>>>)> {
    let place = Arc::new(Mutex::new(None));
    let done = place.clone();
    let copying = Copying::new(limit, declared, Framing::default(), move |copied| {
        *done.lock().unwrap() = copied.ok()
    });
    copying.map(|copying| (copying, place))
}

fn exact(length: usize) -> SizeHint {
    SizeHint::with_exact(length as u64)
}

#[test]
fn what_a_body_declares_takes_no_memory() {
    let mut begun = 0;
    for declared in [exact(0), exact(256 * KIB), exact(usize::MAX), SizeHint::new()] {
        let bytes = measure(|| {
            let copying = copying(256 * KIB, declared);
            if let Some((mut copying, _)) = copying {
                begun += 1;
                copying.frame(&Frame::data(Bytes::from_static(b"")));
            }
        });
        assert!(bytes.bytes_max < KIB as u64, "{declared:?}: {bytes:?}");
    }
    assert_eq!(begun, 3);
}

#[test]
fn an_endless_body_of_small_frames_takes_no_more_than_twice_the_limit() {
    let limit = 256 * KIB;
    for size in [1, 7, 1000] {
        let mut taken = 0;
        let most = measure(|| {
            let (mut copying, _) = copying(limit, SizeHint::new()).unwrap();
            loop {
                // As a connection gives it: a small slice of a large buffer.
                let mut buffer = BytesMut::zeroed(16 * KIB);
                let frame = Frame::data(buffer.split_to(size).freeze());
                match copying.frame(&frame) {
                    Next::Goes => taken += size,
                    Next::Ends(_) => unreachable!("it has no trailers"),
                    Next::TooLarge | Next::Spoilt => break,
                }
            }
        });
        assert!(taken > limit - size && taken <= limit, "{taken}");
        // The old and the new memory while it grows, and the one buffer of the connection.
        assert!(most.bytes_max < (2 * limit + 17 * KIB) as u64, "{most:?}");
    }
}

#[test]
fn a_copy_has_no_room_that_is_not_used_and_holds_no_buffer_of_a_connection() {
    for declared in [SizeHint::new(), exact(3 * 1000)] {
        let mut kept = None;
        let bytes = measure(|| {
            let (mut copying, place) = copying(256 * KIB, declared).unwrap();
            for _ in 0..3 {
                let mut buffer = BytesMut::zeroed(64 * KIB);
                let frame = Frame::data(buffer.split_to(1000).freeze());
                assert_eq!(copying.frame(&frame), Next::Goes);
            }
            copying.end(None);
            kept = place.lock().unwrap().take();
        });
        assert_eq!(kept.as_ref().unwrap().len(), 3000);
        assert!((3000..3300).contains(&bytes.bytes_current), "{bytes:?}");
    }
}

#[test]
fn trailers_are_kept_in_memory_of_their_own_and_count_towards_the_limit() {
    let buffer = Bytes::from(vec![b'7'; 1000]);
    let value = HeaderValue::from_maybe_shared(buffer.slice(..100)).unwrap();
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), value)]);
    let (mut roomy, _) = copying(1000, SizeHint::new()).unwrap();
    let Next::Ends(owned) = roomy.frame(&Frame::trailers(trailers.clone())) else {
        panic!("there is room for them");
    };
    assert_eq!(owned, trailers);
    let at = |headers: &HeaderMap| headers["x-sum"].as_bytes().as_ptr();
    assert_eq!(at(&trailers), buffer.as_ptr());
    assert_eq!(HashSet::from([at(&owned), at(&trailers)]).len(), 2);
    let (mut full, _) = copying(1000, SizeHint::new()).unwrap();
    assert_eq!(full.frame(&Frame::data(vec![0; 900].into())), Next::Goes);
    assert_eq!(full.frame(&Frame::trailers(trailers)), Next::TooLarge);
}

#[test]
fn the_bytes_of_a_body_of_one_frame_are_allocated_once() {
    let frame = Frame::data(Bytes::from_static(b"abcdefgh"));
    let (mut copying, place) = copying(KIB, exact(8)).unwrap();
    let cost = measure(|| {
        assert_eq!(copying.frame(&frame), Next::Goes);
    });
    assert_eq!(cost.count_total, 1, "the bytes: {cost:?}");
    let cost = measure(|| copying.end(None));
    assert_eq!(cost.count_total, 0, "{cost:?}");
    assert_eq!(place.lock().unwrap().as_ref().unwrap().data, "abcdefgh");
}
