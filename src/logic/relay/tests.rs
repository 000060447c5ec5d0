use proptest::prelude::*;

use super::*;

type Letters = Relay<&'static str, u64, &'static str>;

fn asleep<const N: usize>(relay: &mut Letters) -> [u64; N] {
    std::array::from_fn(|_| {
        let member = relay.join();
        assert_eq!(relay.turn(member, member).0, Turn::Wait);
        member
    })
}

#[test]
fn work_goes_to_the_one_who_has_waited_longest() {
    let mut relay = Letters::new();
    let [first, second] = asleep(&mut relay);
    assert_eq!(relay.hand_over("work"), Handed::Over(Some(first)));
    assert_eq!(relay.turn(first, first).0, Turn::Work("work"));
    assert_eq!(relay.turn(second, second).0, Turn::Wait);
}

#[test]
fn work_that_nobody_waits_for_comes_back() {
    let mut relay = Letters::new();
    assert_eq!(relay.hand_over("work"), Handed::Back("work"));
    let [member] = asleep(&mut relay);
    relay.leave(member);
    assert_eq!(relay.hand_over("work"), Handed::Back("work"));
}

#[test]
fn one_who_was_woken_and_leaves_wakes_the_next() {
    let mut relay = Letters::new();
    let [first, second, third] = asleep(&mut relay);
    assert_eq!(relay.hand_over("work"), Handed::Over(Some(first)));
    assert_eq!(relay.leave(second).0, None, "the first is awake and will take it");
    assert_eq!(relay.leave(first).0, Some(third));
    assert_eq!(relay.leave(third).0, None);
    assert_eq!(relay.orphan(), Some("work"));
}

#[test]
fn nobody_is_woken_when_somebody_is_about_to_look() {
    let mut relay = Letters::new();
    let [_] = asleep(&mut relay);
    let fresh = relay.join();
    assert_eq!(relay.hand_over("work"), Handed::Over(None));
    assert_eq!(relay.turn(fresh, fresh).0, Turn::Work("work"));
}

#[test]
fn the_first_result_stands_and_wakes_everybody_who_sleeps() {
    let mut relay = Letters::new();
    let members: [u64; 3] = asleep(&mut relay);
    assert_eq!(relay.end("one").0.collect::<Vec<_>>(), members);
    assert_eq!(relay.end("two").0.count(), 0);
    assert!(relay.is_over());
    let late = relay.join();
    assert_eq!(relay.turn(late, late).0, Turn::Done("one"));
    assert_eq!(relay.leave(late).0, None);
}

#[test]
fn work_that_is_free_when_it_is_over_comes_back() {
    let mut relay = Letters::new();
    let [_] = asleep(&mut relay);
    relay.hand_over("work");
    assert_eq!(relay.end("one").1, Some("work"));
    assert_eq!(relay.hand_over("more"), Handed::Back("more"));
}

#[test]
fn what_woke_before_is_handed_back() {
    let mut relay = Letters::new();
    let [member] = asleep(&mut relay);
    assert_eq!(relay.turn(member, 7), (Turn::Wait, Some(member)));
    assert_eq!(relay.turn(member, 8), (Turn::Wait, Some(7)));
    assert_eq!(relay.leave(member), (None, Some(8)));
}

#[test]
fn who_is_roused_looks_and_sleeps_again() {
    let mut relay = Letters::new();
    let members: [u64; 2] = asleep(&mut relay);
    assert_eq!(relay.rouse().collect::<Vec<_>>(), members);
    assert_eq!(relay.rouse().count(), 0);
    assert_eq!(relay.turn(members[0], 7).0, Turn::Wait);
    assert_eq!(relay.hand_over("work"), Handed::Over(None), "the second is awake");
    assert_eq!(relay.leave(members[1]).0, Some(7));
}

/// A step of some task.
#[derive(Clone, Debug)]
enum Step {
    Join,
    /// Lets one task run, if it was woken.
    Run(usize),
    /// Runs one task that was not woken, as an executor may.
    RunAnyway(usize),
    Leave(usize),
    /// The leader leaves.
    Abandon,
    Rouse,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Join),
        4 => any::<usize>().prop_map(Step::Run),
        1 => any::<usize>().prop_map(Step::RunAnyway),
        3 => any::<usize>().prop_map(Step::Leave),
        1 => Just(Step::Abandon),
        1 => Just(Step::Rouse),
    ];
    prop::collection::vec(step, 1..80)
}

/// A task of the model: its number, whether it will run by itself, whether it does the work.
#[derive(Debug)]
struct Task {
    member: u64,
    is_woken: bool,
    works: bool,
}

struct Model {
    relay: Relay<(), u64, ()>,
    tasks: Vec<Task>,
    leads: bool,
    dropped: bool,
}

impl Model {
    fn wake(&mut self, member: Option<u64>) {
        for task in &mut self.tasks {
            task.is_woken |= Some(task.member) == member;
        }
    }

    fn give_back(&mut self) {
        match self.relay.hand_over(()) {
            Handed::Over(woken) => self.wake(woken),
            Handed::Back(()) => self.dropped = true,
        }
    }

    fn run(&mut self, at: usize) {
        let task = &mut self.tasks[at];
        if task.works {
            return;
        }
        let member = task.member;
        task.is_woken = false;
        match self.relay.turn(member, member).0 {
            Turn::Work(()) => task.works = true,
            Turn::Wait => {}
            Turn::Done(()) => unreachable!("nobody ends it"),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Join => {
                let member = self.relay.join();
                self.tasks.push(Task { member, is_woken: true, works: false });
            }
            Step::Run(n) => {
                let woken: Vec<_> =
                    (0..self.tasks.len()).filter(|n| self.tasks[*n].is_woken).collect();
                if !woken.is_empty() {
                    self.run(woken[n % woken.len()]);
                }
            }
            Step::RunAnyway(n) if !self.tasks.is_empty() => self.run(n % self.tasks.len()),
            Step::Leave(n) if !self.tasks.is_empty() => {
                let task = self.tasks.swap_remove(n % self.tasks.len());
                let woken = self.relay.leave(task.member).0;
                self.wake(woken);
                if task.works {
                    self.give_back();
                } else if self.relay.orphan().is_some() {
                    self.dropped = true;
                }
            }
            Step::Abandon if self.leads => {
                self.leads = false;
                self.give_back();
            }
            Step::Rouse => {
                let woken: Vec<_> = self.relay.rouse().collect();
                woken.into_iter().for_each(|member| self.wake(Some(member)));
            }
            Step::RunAnyway(_) | Step::Leave(_) | Step::Abandon => {}
        }
    }
}

proptest! {
    #[test]
    fn work_is_never_lost_nor_done_twice_nor_forgotten(steps in steps()) {
        let mut model = Model { relay: Relay::new(), tasks: Vec::new(), leads: true, dropped: false };
        for step in &steps {
            model.step(step);
            let working = model.tasks.iter().filter(|task| task.works).count();
            let free = usize::from(model.relay.free.is_some());
            let places = usize::from(model.leads) + working + free + usize::from(model.dropped);
            prop_assert_eq!(places, 1, "after {:?}", step);
            if free == 1 {
                prop_assert!(model.tasks.iter().any(|task| task.is_woken), "after {:?}", step);
            }
            if model.dropped {
                break;
            }
        }
    }
}
