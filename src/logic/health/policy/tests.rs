use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn the_defaults_are_what_is_documented() {
    let policy = Policy::default();
    assert_eq!(policy.check(), Ok(()));
    assert_eq!(policy.interval, Duration::from_secs(1));
    assert_eq!(policy.jitter, Ratio::percent(10));
    assert_eq!(policy.timeout, Duration::from_millis(500));
    assert_eq!((policy.probes_per_check, policy.quorum), (1, Quorum::All));
    assert_eq!((policy.fall, policy.rise), (3, 2));
    assert_eq!((policy.slow_factor, policy.slow_margin), (Some(3.0), MILLISECOND));
    assert_eq!(policy.latency_half_life, Duration::from_secs(2));
    assert_eq!(policy.baseline_half_life, Duration::from_secs(300));
    assert_eq!(policy.success_floor, Ratio::percent(80));
    assert_eq!(policy.while_unknown, WhileUnknown::Pass);
    assert_eq!(policy.detects_within(), Duration::from_millis(3_500));
    assert_eq!(policy.recovers_within(), Duration::from_millis(2_500));
}

#[test]
fn every_setting_is_held_to_its_range() {
    let fine = Policy::new();
    let bad: [(&str, Policy); 15] = [
        ("interval", fine.interval(MILLISECOND - Duration::from_nanos(1))),
        ("interval", fine.interval(DAY + MILLISECOND)),
        ("jitter", fine.jitter(Ratio::percent(51))),
        ("timeout", fine.timeout(Duration::from_micros(999))),
        ("timeout", fine.timeout(Duration::from_millis(1_001))),
        ("probes_per_check", fine.probes_per_check(0)),
        ("probes_per_check", fine.probes_per_check(101)),
        ("fall", fine.fall(0)),
        ("fall", fine.fall(1_001)),
        ("rise", fine.rise(0)),
        ("rise", fine.rise(1_001)),
        ("slow_factor", fine.slow_factor(0.99)),
        ("slow_factor", fine.slow_factor(f64::NAN)),
        ("latency_half_life", fine.latency_half_life(Duration::ZERO)),
        ("baseline_half_life", fine.baseline_half_life(Duration::ZERO)),
    ];
    for (field, policy) in bad {
        let error = policy.check().unwrap_err();
        assert_eq!(error.field(), field);
        assert!(error.to_string().starts_with(&format!("health policy: {field} is ")), "{error}");
    }
    let edges = [
        fine.interval(MILLISECOND).timeout(MILLISECOND).jitter(Ratio::percent(50)),
        fine.interval(DAY).timeout(DAY).jitter(Ratio::percent(0)),
        fine.probes_per_check(100).fall(1_000).rise(1_000),
        fine.probes_per_check(1).fall(1).rise(1).slow_factor(1.0),
        fine.without_slow_factor().success_floor(Ratio::percent(0)).slow_margin(Duration::MAX),
        fine.success_floor(Ratio::percent(100)).latency_half_life(Duration::from_nanos(1)),
    ];
    for policy in edges {
        assert_eq!(policy.check(), Ok(()), "{policy:?}");
    }
}

#[test]
fn slow_is_what_exceeds_both_the_factor_and_the_margin() {
    let policy = Policy::new();
    let ms = Duration::from_millis;
    assert_eq!(policy.slow_from(ms(10)), Some(ms(30)));
    assert_eq!(policy.slow_from(ms(0)), Some(ms(1)));
    assert_eq!(policy.slow_from(Duration::from_micros(500)), Some(Duration::from_micros(1_500)));
    assert_eq!(policy.slow_from(Duration::MAX), Some(Duration::MAX));
    assert_eq!(policy.slow_factor(1e300).slow_from(ms(10)), Some(Duration::MAX));
    assert_eq!(policy.without_slow_factor().slow_from(ms(10)), None);
}

#[test]
fn who_is_refused_is_a_matter_of_the_grade_and_of_what_is_unknown() {
    for calls in [WhileUnknown::Pass, WhileUnknown::Wait, WhileUnknown::Refuse] {
        let policy = Policy::new().while_unknown(calls);
        assert!(policy.refuses(Grade::Unhealthy));
        assert!(!policy.refuses(Grade::Healthy) && !policy.refuses(Grade::Degraded));
        assert_eq!(policy.refuses(Grade::Unknown), calls != WhileUnknown::Pass);
    }
}
