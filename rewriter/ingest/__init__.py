"""Import of foreign logs: mapped, checked row by row, pseudonymised, merged without duplicates."""
