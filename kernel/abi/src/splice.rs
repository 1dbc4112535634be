//! splice(2) and kin; `linux/splice.h`.

flags! {
    /// What splice(2), tee(2) and vmsplice(2) are asked for.
    pub struct SpliceFlags: u32 {
        /// Pages may move; they do where they can.
        const SPLICE_F_MOVE = 1 << 0;
        /// A pipe is not waited for.
        const SPLICE_F_NONBLOCK = 1 << 1;
        /// More will come.
        const SPLICE_F_MORE = 1 << 2;
        /// The program gives its pages away.
        const SPLICE_F_GIFT = 1 << 3;
    }
}
