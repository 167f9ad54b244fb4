use std::thread;

use super::*;

const LIMITS: PlaceLimits = PlaceLimits { running: 1, unknown: 20, suspects: 2 };

/// Places at a time that the test sets.
struct Trial {
    places: Places,
    now: Instant,
}

impl Trial {
    fn new(limits: PlaceLimits) -> Self {
        Self { places: Places::new(limits), now: Instant::now() }
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    /// Takes a place for 192.0.2.`host`.
    fn take(&mut self, host: u8, failures: u64) -> Option<Ticket> {
        let client = Some(IpAddr::from([192, 0, 2, host]));
        self.apply(Applicant { client, is_known: false, failures })
    }

    fn apply(&mut self, applicant: Applicant) -> Option<Ticket> {
        self.places.take(applicant, thread::current(), self.now)
    }

    fn turn(&mut self, ticket: Ticket) -> Turn {
        self.places.turn(ticket, self.now)
    }

    fn fail(&mut self, ticket: Ticket) {
        self.places.fail(ticket, self.now);
    }

    fn leave(&mut self, ticket: Ticket) {
        self.places.leave(ticket, self.now);
    }

    /// The tickets of verifications that run.
    fn running(&self) -> Vec<Ticket> {
        let is_running = |place: &&Place| matches!(place.stage, Stage::Running { .. });
        self.places.taken.iter().filter(is_running).map(|place| place.ticket).collect()
    }
}

#[test]
fn clients_that_are_not_suspect_come_in_the_order_of_arrival() {
    let mut trial = Trial::new(PlaceLimits { running: 2, ..LIMITS });
    let tickets: Vec<Ticket> = (0..20).map(|host| trial.take(host % 3, 0).unwrap()).collect();
    for pair in tickets.chunks(2) {
        assert_eq!(trial.running(), pair);
        for ticket in pair {
            assert_eq!(trial.turn(*ticket), Turn::Run);
        }
        for ticket in pair {
            trial.leave(*ticket);
        }
    }
    assert!(trial.places.taken.is_empty());
}

#[test]
fn clients_that_have_logged_in_come_first_and_the_others_have_a_bounded_number_of_places() {
    let mut trial = Trial::new(PlaceLimits { unknown: 2, ..LIMITS });
    let known = Applicant { client: None, is_known: true, failures: 0 };
    let [first, second] = [1, 2].map(|host| trial.take(host, 0).unwrap());
    assert_eq!(trial.take(3, 0), None);
    let third: [Ticket; 5] = std::array::from_fn(|_| trial.apply(known).unwrap());
    trial.leave(first);
    for ticket in third {
        assert_eq!(trial.running(), [ticket]);
        trial.leave(ticket);
    }
    assert_eq!(trial.running(), [second]);
    assert!(trial.take(3, 0).is_some(), "there is a place again");
}

#[test]
fn a_right_password_makes_the_clients_other_connections_known_unless_it_is_exempt() {
    for (client, is_known) in [(Some(IpAddr::from([192, 0, 2, 1])), true), (None, false)] {
        let mut trial = Trial::new(PlaceLimits { unknown: 3, ..LIMITS });
        let applicant = Applicant { client, is_known: false, failures: 0 };
        let right = trial.apply(applicant).unwrap();
        let other = trial.take(2, 0).unwrap();
        let same = trial.apply(applicant).unwrap();
        assert_eq!(trial.take(3, 0), None);
        trial.places.succeed(right);
        trial.leave(right);
        assert_eq!(trial.running(), [if is_known { same } else { other }]);
        let places = (3..9).filter(|host| trial.take(*host, 0).is_some()).count();
        assert_eq!(places, if is_known { 2 } else { 1 }, "of unknown clients");
    }
}

#[test]
fn a_suspect_comes_after_others_and_those_with_fewer_failures_first() {
    let mut trial = Trial::new(PlaceLimits { suspects: 9, ..LIMITS });
    let first = trial.take(1, 0).unwrap();
    let [often, once, never] =
        [(2, 7), (3, 1), (4, 0)].map(|(host, failures)| trial.take(host, failures).unwrap());
    for ticket in [first, never, once, often] {
        assert_eq!(trial.running(), [ticket]);
        trial.leave(ticket);
    }
}

#[test]
fn suspects_use_a_quarter_of_one_processor() {
    let mut trial = Trial::new(PlaceLimits { running: 4, suspects: 9, ..LIMITS });
    let [first, second] = [1, 2].map(|host| trial.take(host, 1).unwrap());
    assert_eq!(trial.running(), [first], "one at a time");
    trial.pass(100);
    trial.leave(first);
    let resumes_at = trial.now + Duration::from_millis(300);
    assert_eq!(trial.turn(second), Turn::Wait(Some(resumes_at)));
    // Others need not wait.
    let other = trial.take(3, 0).unwrap();
    assert_eq!(trial.turn(other), Turn::Run);
    trial.pass(299);
    assert_eq!(trial.turn(second), Turn::Wait(Some(resumes_at)));
    trial.pass(1);
    assert_eq!(trial.turn(second), Turn::Run);
}

#[test]
fn a_client_waits_until_the_response_to_its_wrong_password_is_sent() {
    let mut trial = Trial::new(PlaceLimits { running: 4, suspects: 9, ..LIMITS });
    let wrong = trial.take(1, 0).unwrap();
    trial.fail(wrong);
    assert!(!trial.places.is_gone(wrong));
    let next = trial.take(1, 1).unwrap();
    assert_eq!(trial.turn(next), Turn::Wait(None));
    let other = trial.take(2, 1).unwrap();
    assert_eq!(trial.turn(other), Turn::Run, "another suspect");
    trial.leave(other);
    trial.leave(wrong);
    assert_eq!(trial.turn(next), Turn::Run);
}

#[test]
fn a_wrong_password_makes_the_clients_other_connections_suspect() {
    let mut trial = Trial::new(LIMITS);
    let wrong = trial.take(1, 0).unwrap();
    let [same, other] = [1, 2].map(|host| trial.take(host, 0).unwrap());
    trial.fail(wrong);
    assert_eq!(trial.running(), [other]);
    trial.leave(other);
    assert_eq!(trial.turn(same), Turn::Wait(None));
}

#[test]
fn a_wrong_password_makes_no_other_connection_of_an_exempt_client_suspect() {
    let mut trial = Trial::new(LIMITS);
    let exempt = Applicant { client: None, is_known: false, failures: 0 };
    let [first, second, third] = std::array::from_fn(|_| trial.apply(exempt).unwrap());
    trial.fail(first);
    trial.fail(second);
    assert_eq!(trial.turn(third), Turn::Run);
    // Those that are delayed have a bounded number of places, too.
    trial.fail(third);
    assert_eq!(
        [first, second, third].map(|ticket| trial.places.is_gone(ticket)),
        [true, false, false]
    );
}

#[test]
fn suspects_have_a_bounded_number_of_places_and_those_with_most_failures_lose_theirs() {
    let mut trial = Trial::new(LIMITS);
    let running = trial.take(9, 0).unwrap();
    let [five, three] =
        [(1, 5), (2, 3)].map(|(host, failures)| trial.take(host, failures).unwrap());
    assert_eq!(trial.take(3, 5), None, "none has more");
    assert_eq!(trial.take(3, 6), None);
    let four = trial.take(3, 4).unwrap();
    assert_eq!(trial.turn(five), Turn::Evicted);
    let one = trial.take(4, 1).unwrap();
    assert_eq!(trial.turn(four), Turn::Evicted);
    assert_ne!(trial.turn(three), Turn::Evicted);
    // Those that are not suspect are not bounded.
    let others: Vec<Ticket> = (0..9).map(|host| trial.take(host + 10, 0).unwrap()).collect();
    // One of them fails: it has as few failures as the best suspect.
    trial.fail(running);
    assert_eq!(trial.turn(three), Turn::Evicted);
    assert_ne!(trial.turn(one), Turn::Evicted);
    assert!(!trial.places.is_gone(running));
    assert_eq!(trial.running(), [others[0]]);
}

#[test]
fn a_delay_is_cut_short_before_a_wait() {
    let mut trial = Trial::new(LIMITS);
    let delayed = trial.take(1, 0).unwrap();
    trial.fail(delayed);
    let running = trial.take(9, 0).unwrap();
    let waiting = trial.take(1, 1).unwrap();
    // Another client becomes suspect.
    trial.fail(running);
    assert!(trial.places.is_gone(delayed));
    assert_ne!(trial.turn(waiting), Turn::Evicted);
    // A place that was evicted can be left.
    trial.leave(delayed);
    trial.fail(delayed);
}

#[test]
fn a_suspect_that_waits_has_the_place_of_a_delayed_one_with_as_many_failures() {
    let mut trial = Trial::new(LIMITS);
    let exempt = Applicant { client: None, is_known: false, failures: 0 };
    let delayed: [Ticket; 2] = std::array::from_fn(|_| {
        let ticket = trial.apply(exempt).unwrap();
        trial.fail(ticket);
        ticket
    });
    assert_eq!(trial.take(1, 2), None, "it has more failures");
    let [first, second] = [1, 2].map(|host| trial.take(host, 1).unwrap());
    assert!(delayed.iter().all(|ticket| trial.places.is_gone(*ticket)));
    assert_eq!(trial.turn(first), Turn::Run);
    assert_eq!(trial.turn(second), Turn::Wait(None));
    assert_eq!(trial.take(3, 1), None, "one that waits does not give way");
}

#[test]
fn a_running_verification_is_never_evicted() {
    let mut trial = Trial::new(PlaceLimits { suspects: 1, ..LIMITS });
    let suspect = trial.take(1, 9).unwrap();
    assert_eq!(trial.turn(suspect), Turn::Run);
    assert_eq!(trial.take(2, 1), None);
    trial.places.clear();
    assert_eq!(trial.turn(suspect), Turn::Run);
    trial.fail(suspect);
    trial.places.clear();
    assert!(trial.places.is_gone(suspect));
}
