//! Tests of the limits, by what their callers notice.

use super::*;
use crate::error::Error;

fn limits(rate_limits: bool) -> Limits {
    Limits::new(&Config { rate_limits, max_streams: 4, max_streams_per_address: 2, ..Config::for_tests() })
}

fn address(last: u8) -> Address {
    IpAddr::from([203, 0, 113, last]).into()
}

/// Tries a wrong password; returns whether it was checked at all.
async fn guess(limits: &Limits, account: &str, address: Address) -> Result<()> {
    limits.admit_password(account, address).await.map(Attempt::wrong)
}

/// Tries the right password.
async fn sign_in(limits: &Limits, account: &str, address: Address) -> Result<()> {
    limits.admit_password(account, address).await.map(Attempt::right)
}

#[tokio::test(start_paused = true)]
async fn guessing_stops_for_the_address_that_guesses_and_for_nobody_else() {
    let limits = limits(true);
    let guesses = 28;
    let mut checked = 0;
    for _ in 0..guesses {
        checked += usize::from(guess(&limits, "ali", address(1)).await.is_ok());
    }
    assert_eq!(checked, 10, "of one address for one account");
    let refused = guess(&limits, "ali", address(1)).await.unwrap_err();
    assert!(matches!(refused, Error::TooManyRequests { retry_after } if !retry_after.is_zero()));
    for _ in 0..20 {
        sign_in(&limits, "ali", address(2)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn right_passwords_use_up_nothing() {
    let limits = limits(true);
    for n in 0..1_000 {
        sign_in(&limits, &format!("colleague-{n}"), address(1)).await.unwrap();
        sign_in(&limits, "ali", address(1)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_tries_many_accounts_stops_but_not_for_those_it_has_signed_in_to() {
    let limits = limits(true);
    sign_in(&limits, "colleague", address(1)).await.unwrap();
    for n in 0..30 {
        guess(&limits, &format!("name-{n}"), address(1)).await.unwrap();
    }
    assert!(guess(&limits, "somebody", address(1)).await.is_err());
    assert!(guess(&limits, "somebody", address(3)).await.is_ok());
    sign_in(&limits, "colleague", address(1)).await.unwrap();
    for _ in 0..10 {
        guess(&limits, "colleague", address(1)).await.unwrap();
    }
    assert!(guess(&limits, "colleague", address(1)).await.is_err(), "there too guessing stops");
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_guesses_slows_the_owner_at_most_and_not_where_the_owner_was_before() {
    let limits = limits(true);
    sign_in(&limits, "ali", address(1)).await.unwrap();
    for n in 10..40 {
        guess(&limits, "ali", address(n)).await.unwrap();
    }
    let took = async |address| {
        let began = tokio::time::Instant::now();
        sign_in(&limits, "ali", address).await.unwrap();
        began.elapsed().as_millis()
    };
    assert_eq!(took(address(2)).await, 1_000, "at a new place");
    assert_eq!(took(address(2)).await, 0, "which is one of the owner's now");
    assert_eq!(took(address(1)).await, 0, "at a place of before");
}

#[tokio::test(start_paused = true)]
async fn a_crowd_beyond_those_who_may_wait_is_not_refused() {
    let limits = limits(true);
    for n in 10..40 {
        guess(&limits, "ali", address(n)).await.unwrap();
    }
    let other = |n: u32| Address::from(IpAddr::from(std::net::Ipv4Addr::from_bits(n)));
    let crowd: Vec<_> = (0..1_100).map(|n| guess(&limits, "ali", other(n))).collect();
    let answered = futures_util::future::join_all(crowd).await;
    assert!(answered.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn a_password_that_was_not_checked_is_no_failure() {
    let limits = limits(true);
    for _ in 0..100 {
        drop(limits.admit_password("ali", address(1)).await.unwrap());
    }
}

#[test]
fn a_flood_of_requests_is_turned_away_and_another_address_served() {
    let limits = limits(true);
    let served = (0..1_000).filter(|_| limits.admit_address(address(1)).is_ok()).count();
    assert!((400..500).contains(&served), "{served} of 1,000 at once");
    assert!(limits.admit_address(address(2)).is_ok());
}

#[test]
fn a_flood_of_accounts_stops_at_each_address_and_in_all() {
    let limits = limits(true);
    let signs_up = |n: u8| limits.admit_sign_up(address(n)).and_then(|()| limits.admit_account()).is_ok();
    assert_eq!((0..100).filter(|_| signs_up(1)).count(), 20, "of one address");
    let made = (2..250).flat_map(|n| [n; 5]).filter(|n| signs_up(*n)).count();
    assert!((180..190).contains(&made), "{made} of all others");
    limits.no_account_was_made();
    assert!(signs_up(251), "one that was not made is anybody's");
}

#[test]
fn streams_are_bounded_by_address_by_user_and_in_all() {
    let limits = limits(true);
    let first = limits.open_stream(address(1), None).unwrap();
    let _second = limits.open_stream(address(1), Some(UserId::new())).unwrap();
    assert_eq!(limits.open_stream(address(1), None).err(), Some(LimitReached::Share));
    let _others = [2, 3].map(|n| limits.open_stream(address(n), None).unwrap());
    assert_eq!(limits.open_stream(address(4), None).err(), Some(LimitReached::Full));
    drop(first);
    assert!(limits.open_stream(address(4), None).is_ok());
}

#[test]
fn idle_connections_make_room_before_there_is_no_place_left() {
    let limits = limits(false);
    let peer = |n: u8| IpAddr::from([203, 0, 113, n]);
    let connect = |n: usize| (0..n).map(|_| limits.connect(peer(1)).unwrap()).collect::<Vec<_>>();
    let mut held = connect(OTHER_CONNECTIONS / 2);
    assert!(!limits.is_crowded(peer(1)));
    held.extend(connect(1));
    assert!(limits.is_crowded(peer(1)) && limits.is_crowded(peer(2)));
    let _stream = limits.open_stream(address(1), None).unwrap();
    assert!(!limits.is_crowded(peer(1)), "one of them is a stream's");
}

#[test]
fn idle_connections_of_one_address_make_room_for_that_address_alone() {
    let limits = Limits::new(&Config { rate_limits: true, ..Config::for_tests() });
    let peer = |n: u8| IpAddr::from([203, 0, 113, n]);
    let mut held: Vec<_> = (0..OTHER_CONNECTIONS_PER_ADDRESS / 2).map(|_| limits.connect(peer(1)).unwrap()).collect();
    assert!(!limits.is_crowded(peer(1)));
    held.push(limits.connect(peer(1)).unwrap());
    assert!(limits.is_crowded(peer(1)));
    assert!(!limits.is_crowded(peer(2)));
}

#[test]
fn a_loop_of_openings_is_turned_away_and_a_crowd_that_comes_back_twice_is_not() {
    let limits = Limits::new(&Config { rate_limits: true, ..Config::for_tests() });
    for _ in 0..2 {
        let office: Vec<_> = (0..256).map(|_| limits.open_stream(address(1), None).unwrap()).collect();
        drop(office);
    }
    let opened = (0..1_000).filter(|_| limits.open_stream(address(1), None).is_ok()).count();
    assert!(opened < 100, "{opened} of 1,000 more at once");
    let user = UserId::new();
    let opened = (0..1_000).filter(|_| limits.open_stream(address(2), Some(user)).is_ok()).count();
    assert!((128..140).contains(&opened), "{opened} of 1,000 by one user");
    assert!(limits.open_stream(address(2), None).is_ok(), "another of the same address");
}

#[test]
fn a_user_without_a_place_left_holds_none_of_the_addresses() {
    let limits = Limits::new(&Config { rate_limits: true, ..Config::for_tests() });
    let user = UserId::new();
    let held: Vec<_> = (0..64).map(|n| limits.open_stream(address(n), Some(user)).unwrap()).collect();
    assert_eq!(limits.open_stream(address(99), Some(user)).err(), Some(LimitReached::Share));
    drop(held);
    assert!(limits.open_stream(address(99), Some(user)).is_ok());
}

#[tokio::test]
async fn without_rate_limits_only_the_instances_own_bounds_are_left() {
    let limits = limits(false);
    let user = UserId::new();
    for _ in 0..1_000 {
        limits.admit_address(address(1)).unwrap();
        limits.admit_user(user).unwrap();
        guess(&limits, "ali", address(1)).await.unwrap();
        limits.admit_sign_up(address(1)).unwrap();
        limits.admit_account().unwrap();
    }
    let _held = [(); 4].map(|()| limits.open_stream(address(1), Some(user)).unwrap());
    assert_eq!(limits.open_stream(address(1), Some(user)).err(), Some(LimitReached::Full));
}
