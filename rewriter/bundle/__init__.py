"""One published version of everything the service needs: written whole, sealed by checksums, swapped by rename."""
