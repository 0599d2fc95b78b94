//! Makes a program that runs at any address one that runs at a single one.
//!
//! Debian builds dockerd position-independent. Each time it starts, the loader then writes 342,290 addresses into 2,008
//! pages, which thereby become memory of its own instead of pages of the file that can be dropped and read again.
//! The packages of containerd and runc, and Docker's own builds of dockerd, are bound to an address: so is this one
//! once its addresses are written into the file here.
//!
//! Only what the loader reads is changed, in place: <https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html>.

use object::LittleEndian as LE;
use object::elf::{self, Dyn64, FileHeader64, ProgramHeader64, Rela64, SectionHeader64, Sym64};
use object::pod::{self, Pod};

/// Where linkers put programs that are bound to an address.
const BASE: u64 = 0x40_0000;

/// The entries of the dynamic section that are addresses.
const ADDRESSES: [u32; 15] = [
    elf::DT_PLTGOT,
    elf::DT_HASH,
    elf::DT_GNU_HASH,
    elf::DT_STRTAB,
    elf::DT_SYMTAB,
    elf::DT_RELA,
    elf::DT_JMPREL,
    elf::DT_INIT,
    elf::DT_FINI,
    elf::DT_INIT_ARRAY,
    elf::DT_FINI_ARRAY,
    elf::DT_PREINIT_ARRAY,
    elf::DT_VERSYM,
    elf::DT_VERNEED,
    elf::DT_VERDEF,
];

/// Relocations written in a shorter way. The library does not name it.
const DT_RELR: u32 = 36;

/// The relocations that a processor has of these kinds.
struct Kinds {
    /// An address in the program.
    relative: u32,
    /// A function of a library, found when it is first called.
    jump: u32,
    /// A function of the program that finds another one.
    indirect: u32,
}

/// A program as it lies in its file.
struct Program<'a> {
    bytes: &'a mut [u8],
    segments: Vec<Segment>,
}

struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

/// Where a table is, and how many entries it has.
#[derive(Clone, Copy)]
struct Table {
    offset: u64,
    count: usize,
}

/// Says what is in the way if the program is not of the kind that this is for.
pub(super) fn at_one_address(bytes: &mut [u8]) -> Result<(), &'static str> {
    let mut program = Program {
        bytes,
        segments: Vec::new(),
    };
    let header = program.get::<FileHeader64<LE>>(0)?;
    if header.e_ident.magic != elf::ELFMAG || header.e_ident.class != elf::ELFCLASS64 {
        return Err("it is not a program of 64 bits");
    }
    if header.e_type.get(LE) != elf::ET_DYN {
        return Err("it is bound to an address already");
    }
    let kinds = match header.e_machine.get(LE) {
        elf::EM_X86_64 => Kinds {
            relative: elf::R_X86_64_RELATIVE,
            jump: elf::R_X86_64_JUMP_SLOT,
            indirect: elf::R_X86_64_IRELATIVE,
        },
        elf::EM_AARCH64 => Kinds {
            relative: elf::R_AARCH64_RELATIVE,
            jump: elf::R_AARCH64_JUMP_SLOT,
            indirect: elf::R_AARCH64_IRELATIVE,
        },
        _ => return Err("it is for another processor"),
    };
    let segments = Table {
        offset: header.e_phoff.get(LE),
        count: header.e_phnum.get(LE).into(),
    };
    let sections = Table {
        offset: header.e_shoff.get(LE),
        count: header.e_shnum.get(LE).into(),
    };
    program.segments = program
        .table::<ProgramHeader64<LE>>(segments)?
        .iter()
        .filter(|segment| segment.p_type.get(LE) == elf::PT_LOAD)
        .map(|segment| Segment {
            address: segment.p_vaddr.get(LE),
            offset: segment.p_offset.get(LE),
            size: segment.p_filesz.get(LE),
        })
        .collect();
    program.relocate(segments, &kinds)?;
    program.move_symbols(sections)?;
    program.move_headers(segments, sections)
}

impl Program<'_> {
    fn get<T: Pod>(&mut self, offset: u64) -> Result<&mut T, &'static str> {
        let offset = usize::try_from(offset).ok();
        let rest = offset.and_then(|offset| self.bytes.get_mut(offset..));
        let (found, _) = rest
            .and_then(|rest| pod::from_bytes_mut(rest).ok())
            .ok_or("it is cut off")?;
        Ok(found)
    }

    fn table<T: Pod>(&mut self, table: Table) -> Result<&mut [T], &'static str> {
        let offset = usize::try_from(table.offset).ok();
        let rest = offset.and_then(|offset| self.bytes.get_mut(offset..));
        let (found, _) = rest
            .and_then(|rest| pod::slice_from_bytes_mut(rest, table.count).ok())
            .ok_or("it is cut off")?;
        Ok(found)
    }

    /// Where in the file this address is, as the program was before it was moved.
    fn offset(&self, address: u64) -> Result<u64, &'static str> {
        self.segments
            .iter()
            .find_map(|segment| {
                let within = address.checked_sub(segment.address)?;
                (within < segment.size).then_some(segment.offset + within)
            })
            .ok_or("it refers to what is not in it")
    }

    /// Does what the loader would do at each start, and leaves it what only it can do.
    fn relocate(&mut self, segments: Table, kinds: &Kinds) -> Result<(), &'static str> {
        let dynamic = self
            .table::<ProgramHeader64<LE>>(segments)?
            .iter()
            .find(|segment| segment.p_type.get(LE) == elf::PT_DYNAMIC)
            .map(|segment| (segment.p_offset.get(LE), segment.p_filesz.get(LE)))
            .ok_or("it is linked to no library")?;
        let dynamic = Table {
            offset: dynamic.0,
            count: entries::<Dyn64<LE>>(dynamic.1)?,
        };
        let entry = |program: &mut Self, tag: u32| -> Result<Option<u64>, &'static str> {
            let entries = program.table::<Dyn64<LE>>(dynamic)?;
            let found = entries.iter().find(|entry| entry.d_tag.get(LE) == u64::from(tag));
            Ok(found.map(|entry| entry.d_val.get(LE)))
        };
        if entry(self, DT_RELR)?.is_some() || entry(self, elf::DT_TEXTREL)?.is_some() {
            return Err("it has relocations of a kind that is not known here");
        }
        let mut left = 0;
        for (table, size) in [(elf::DT_RELA, elf::DT_RELASZ), (elf::DT_JMPREL, elf::DT_PLTRELSZ)] {
            if let (Some(address), Some(size)) = (entry(self, table)?, entry(self, size)?) {
                let offset = self.offset(address)?;
                let count = entries::<Rela64<LE>>(size)?;
                let kept = self.relocate_table(Table { offset, count }, kinds)?;
                if table == elf::DT_RELA {
                    left = kept;
                } else if kept != count {
                    return Err("it has addresses among the functions of libraries");
                }
            }
        }
        for entry in self.table::<Dyn64<LE>>(dynamic)? {
            let tag = u32::try_from(entry.d_tag.get(LE)).unwrap_or(u32::MAX);
            let value = entry.d_val.get(LE);
            let value = match tag {
                elf::DT_RELASZ => (left * size_of::<Rela64<LE>>()) as u64,
                elf::DT_RELACOUNT => 0,
                elf::DT_FLAGS_1 => value & !u64::from(elf::DF_1_PIE),
                _ if ADDRESSES.contains(&tag) => value + BASE,
                _ => value,
            };
            entry.d_val.set(LE, value);
        }
        Ok(())
    }

    /// Returns how many entries are left for the loader. They come first; the place of the others is cleared, so that
    /// it takes no room when it is compressed.
    fn relocate_table(&mut self, table: Table, kinds: &Kinds) -> Result<usize, &'static str> {
        let all = self.table::<Rela64<LE>>(table)?.to_vec();
        let mut left = Vec::new();
        for mut relocation in all {
            let place = relocation.r_offset.get(LE);
            let kind = relocation.r_type(LE, false);
            let target = relocation.r_addend.get(LE).wrapping_add_unsigned(BASE);
            if kind == kinds.relative {
                let offset = self.offset(place)?;
                self.get::<object::I64<LE>>(offset)?.set(LE, target);
                continue;
            }
            if kind == kinds.indirect {
                relocation.r_addend.set(LE, target);
            } else if kind == kinds.jump {
                // Until its first call it leads to the code that looks for it.
                let offset = self.offset(place)?;
                let slot = self.get::<object::U64<LE>>(offset)?;
                if slot.get(LE) != 0 {
                    slot.set(LE, slot.get(LE) + BASE);
                }
            }
            relocation.r_offset.set(LE, place + BASE);
            left.push(relocation);
        }
        let entries = self.table::<Rela64<LE>>(table)?;
        let (first, rest) = entries.split_at_mut(left.len());
        first.copy_from_slice(&left);
        pod::bytes_of_slice_mut(rest).fill(0);
        Ok(left.len())
    }

    fn move_symbols(&mut self, sections: Table) -> Result<(), &'static str> {
        let symbols = self
            .table::<SectionHeader64<LE>>(sections)?
            .iter()
            .find(|section| section.sh_type.get(LE) == elf::SHT_DYNSYM)
            .map(|section| (section.sh_offset.get(LE), section.sh_size.get(LE)))
            .ok_or("its symbols cannot be found")?;
        let symbols = Table {
            offset: symbols.0,
            count: entries::<Sym64<LE>>(symbols.1)?,
        };
        for symbol in self.table::<Sym64<LE>>(symbols)? {
            let section = symbol.st_shndx.get(LE);
            let here = section != elf::SHN_UNDEF && section < elf::SHN_LORESERVE;
            // A thread's variable is counted from the beginning of the thread's memory.
            if here && symbol.st_info & 0xf != elf::STT_TLS {
                symbol.st_value.set(LE, symbol.st_value.get(LE) + BASE);
            }
        }
        Ok(())
    }

    fn move_headers(&mut self, segments: Table, sections: Table) -> Result<(), &'static str> {
        for segment in self.table::<ProgramHeader64<LE>>(segments)? {
            if segment.p_type.get(LE) != elf::PT_GNU_STACK {
                segment.p_vaddr.set(LE, segment.p_vaddr.get(LE) + BASE);
                segment.p_paddr.set(LE, segment.p_paddr.get(LE) + BASE);
            }
        }
        for section in self.table::<SectionHeader64<LE>>(sections)? {
            if section.sh_flags.get(LE) & u64::from(elf::SHF_ALLOC) != 0 {
                section.sh_addr.set(LE, section.sh_addr.get(LE) + BASE);
            }
        }
        let header = self.get::<FileHeader64<LE>>(0)?;
        header.e_type.set(LE, elf::ET_EXEC);
        header.e_entry.set(LE, header.e_entry.get(LE) + BASE);
        Ok(())
    }
}

/// How many entries of this kind so many bytes hold.
fn entries<T>(bytes: u64) -> Result<usize, &'static str> {
    let bytes = usize::try_from(bytes).map_err(|_| "it is too large")?;
    Ok(bytes / size_of::<T>())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_that_was_moved_to_one_address_runs() {
        let own = std::env::current_exe().unwrap();
        let mut bytes = fs_err::read(own).unwrap();
        at_one_address(&mut bytes).unwrap();
        assert_eq!(
            at_one_address(&mut bytes.clone()),
            Err("it is bound to an address already"),
            "it says of itself what it is"
        );

        let folder = tempfile::tempdir().unwrap();
        let moved = folder.path().join("moved");
        fs_err::write(&moved, bytes).unwrap();
        fs_err::set_permissions(&moved, PermissionsExt::from_mode(0o755)).unwrap();
        let listed = std::process::Command::new(moved).arg("--list").output().unwrap();
        assert!(listed.status.success(), "{listed:?}");
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(
            listed.contains("a_program_that_was_moved_to_one_address_runs"),
            "{listed}"
        );
    }

    #[test]
    fn what_is_no_program_is_refused_at_any_length() {
        let own = fs_err::read(std::env::current_exe().unwrap()).unwrap();
        for length in [0, 3, 63, 64, 200, 4096] {
            assert!(at_one_address(&mut own[..length].to_vec()).is_err(), "{length}");
        }
        assert!(at_one_address(&mut [b'#'; 4096]).is_err());
    }
}
