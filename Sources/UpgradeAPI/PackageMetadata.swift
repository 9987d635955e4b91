/// Keys of the metadata that goes with SetPackage, for which gNOI has no fields.
public enum PackageMetadata {
    /// The detached signature of the contents, as bytes.
    public static let signature = "containerz-signature-bin"
    /// Packages with the same are installed together; the response has it as well.
    public static let identifier = "containerz-upgrade-id"
    /// `true` where the version may be older than the one installed.
    public static let allowDowngrade = "containerz-allow-downgrade"
}
