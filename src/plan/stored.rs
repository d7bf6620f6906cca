//! The plan as stored bytes: a mark, the format's version, then bincode. Three hours at 60 frames
//! a second stay under a megabyte where the rate is constant, under 8 MiB where no two steps are
//! alike.

use super::Plan;

/// Format of plans that this build writes and reads.
pub const VERSION: u32 = 2;
/// First bytes of a plan.
const MARK: [u8; 4] = *b"FLPL";
/// The largest plan that is read, and the most that reading one may allocate.
pub const MAX_BYTES: usize = 64 << 20;

/// Why stored bytes are not a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// They do not begin as a plan does.
    #[error("plan does not begin with its mark")]
    Mark,
    /// Another build wrote them.
    #[error("plan has version {0}, which this build does not read")]
    Version(u32),
    /// They are larger than any plan.
    #[error("plan has {0} bytes, more than any plan")]
    Size(usize),
    /// What follows the version is not a plan.
    #[error("plan is damaged")]
    Damaged(#[from] bincode::error::DecodeError),
    /// It cannot be written.
    #[error("plan cannot be written")]
    Unwritable(#[from] bincode::error::EncodeError),
}

impl Plan {
    /// The bytes to store.
    ///
    /// # Errors
    /// [`PlanError::Unwritable`] or [`PlanError::Size`] when it is too large.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PlanError> {
        let mut bytes = MARK.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let body = bincode::serde::encode_to_vec(self, bincode::config::standard())?;
        bytes.extend(body);
        if bytes.len() > MAX_BYTES {
            return Err(PlanError::Size(bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads what [`Plan::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`PlanError`] when the bytes are damaged, too large or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PlanError> {
        if bytes.len() > MAX_BYTES {
            return Err(PlanError::Size(bytes.len()));
        }
        let body = bytes.strip_prefix(&MARK).ok_or(PlanError::Mark)?;
        let (version, body) = body.split_first_chunk::<4>().ok_or(PlanError::Mark)?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(PlanError::Version(version));
        }
        let bounded = bincode::config::standard().with_limit::<MAX_BYTES>();
        let (plan, _) = bincode::serde::decode_from_slice(body, bounded)?;
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composition::TextStyle;
    use crate::composition::{Json, Limits, validate};
    use crate::timeline::{TextMeasure, Timeline};

    struct Lines;

    impl TextMeasure for Lines {
        fn height(&self, _: &TextStyle, _: f64) -> f64 {
            40.0
        }
    }

    fn plan() -> Plan {
        let body = br##"{"duration": 1, "metadata": {"a": "b"}, "elements": [
            {"type": "text", "text": "a", "duration": 0.1, "text_color": "#11223344"}]}"##;
        let json = Json::parse(body).expect("JSON");
        let limits = Limits::default();
        let (composition, _) = validate(&json, &limits).expect("valid");
        let (timeline, _) =
            Timeline::resolve(composition, Vec::new(), &Lines, &limits).expect("resolved");
        Plan {
            timeline,
            sources: Vec::new(),
            fonts: Vec::new(),
            segments: Vec::new(),
        }
    }

    #[test]
    fn what_was_written_is_read_and_all_else_is_refused() {
        let plan = plan();
        let bytes = plan.to_bytes().expect("written");
        assert_eq!(Plan::from_bytes(&bytes).expect("read"), plan);
        let mut other = bytes.clone();
        other[4] = 1;
        assert!(matches!(
            Plan::from_bytes(&other),
            Err(PlanError::Version(1))
        ));
        assert!(matches!(Plan::from_bytes(b"{}"), Err(PlanError::Mark)));
        for cut in [0, 3, 7, 8, bytes.len() / 2, bytes.len() - 1] {
            assert!(Plan::from_bytes(&bytes[..cut]).is_err(), "{cut} bytes");
        }
    }
}
