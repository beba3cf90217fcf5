//! What every database must do: the same cases for each, one function a case.
#![allow(dead_code, unreachable_pub)] // named by the macro below

pub mod building;
pub mod failing;
pub mod projecting;
pub mod resting;

/// Every case as a test, on a database of its own that `$database` makes.
#[macro_export]
macro_rules! cases {
    ($database:path: $($module:ident::{$($case:ident),* $(,)?})*) => {$($(
        #[test]
        fn $case() {
            if let Some(database) = $database(stringify!($case)) {
                suite::$module::$case(&database);
            }
        }
    )*)*};
}

/// The list of them.
#[macro_export]
macro_rules! all_cases {
    ($database:path) => {
        $crate::cases! { $database:
            projecting::{
                values_come_back_as_they_were,
                errors_say_whether_to_try_again,
                events_are_in_the_table_once_and_stay_so,
                whatever_dies_between_two_statements_the_table_is_the_fold,
                two_at_one_build_never_do_it_twice,
                random_logs_and_random_deaths,
                a_thread_works_until_it_is_stopped,
            }
            failing::{
                a_poison_event_parks_its_key_and_others_go_on,
                parked_events_are_tried_again_and_then_left,
                what_is_discarded_lets_the_rest_of_its_key_in,
                panics_garbage_and_swallowed_errors_are_failures,
                the_next_version_of_a_kind_is_parked,
                a_projector_may_stop_instead,
                a_projector_may_leave_out_instead,
                a_database_that_is_away_is_waited_for,
                a_build_of_another_store_is_left_alone,
            }
            resting::{
                who_settles_sees_in_the_tables_what_was_recorded,
                what_waits_to_be_tried_again_is_not_at_rest,
                a_world_brings_projectors_forward_whatever_crashes,
            }
            building::{
                a_higher_version_grows_beside_and_takes_over,
                a_lower_version_takes_over_only_by_hand,
                a_rebuild_takes_the_place_of_its_own_version,
                retired_tables_may_be_dropped,
            }
        }
    };
}
