//! Both programs, from their start to their end.

mod early_signals;
mod quick_start;
