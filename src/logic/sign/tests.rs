use proptest::prelude::*;

use super::*;
use crate::logic::testing::check;

#[test]
fn a_new_sign_sends_everybody_to_ask() {
    let sign = Sign::new();
    assert_eq!(sign.read(), (0, Face::Ask));
}

#[test]
fn a_sign_shows_what_was_published_last() {
    let face = prop_oneof![
        Just(Face::Closed),
        Just(Face::Free),
        Just(Face::Ask),
        Just(Face::Shut(Moment::NEVER)),
        any::<u64>().prop_map(|until| Face::Shut(Moment::from_nanos(until))),
    ];
    let published = prop::collection::vec((0u64..1 << 62, face), 1..20);
    check(file!(), 500, published, |published| {
        let sign = Sign::new();
        for (period, face) in published {
            sign.publish(period, face);
            prop_assert_eq!(sign.read(), (period, face));
            prop_assert_eq!(sign.period(), period);
        }
        Ok(())
    });
}
