import CSystem

/// The mapped pages of the program's files.
public enum ProgramPages {
    /// Unmaps what a start leaves behind.
    ///
    /// Starting touches most of a program once: relocations, the lookup of conformances, the
    /// parser of the command line. As long as those pages are mapped they count as the process's
    /// memory, and the kernel, which evicts mapped code last, holds them against what a small
    /// device needs more. What serving uses of them is mapped again as it is used, from the page
    /// cache.
    public static func forgetStart() {
        cz_forget_program_pages()
    }
}
